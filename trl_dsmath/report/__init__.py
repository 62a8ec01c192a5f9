"""Self-contained HTML pages with tables, plots and examples, and the same in Markdown: one look for all reports.

The plots need matplotlib and are in `trl_dsmath.report.plot`.
"""

from .page import Example, Page, Sample, Section, Step, sample_style, shortened, text_table

__all__ = ["Example", "Page", "Sample", "Section", "Step", "sample_style", "shortened", "text_table"]
