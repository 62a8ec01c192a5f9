"""From web pages to mathematical text: read, extract, remove duplicates and benchmarks, find the mathematics."""
