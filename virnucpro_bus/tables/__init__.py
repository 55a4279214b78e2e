"""Recorded runs as tables, one row a file or attempt, and as tables of whole runs (docs/export.md).

`rows.py` has the columns, and makes the rows in the order that is asked for; `row_formats.py` writes them as CSV
and as JSON lines; `multiqc.py` has tables of whole runs. Start with `rows.py`. May import the interface of
exporters, and what that may import.
"""
