"""Recorded runs as tables, one row a file or attempt (docs/export.md).

`rows.py` has the columns, and makes the rows in the order that is asked for; `row_formats.py` writes them as CSV
and as JSON lines. Start with `rows.py`. May import the exporters' interface, and what that may import.
"""
