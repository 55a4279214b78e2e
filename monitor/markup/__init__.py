"""Pieces of HTML pages: elements that are escaped, tables, SVG drawings with their scales. Pure.

They know nothing of runs; what a page shows, other wings say. Start with `html.py`. May import the bus.
"""
