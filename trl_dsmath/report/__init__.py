"""HTML pages with tables and plots: one look for the reports of the quickstart, of evaluations and of runs."""
