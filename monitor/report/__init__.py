"""The report of recorded runs as one HTML page: what happened, did stealing help, what failed, what was slow.

Pure: recordings in, text out. The page is complete in itself: figures are SVG, there is no script, and nothing is
loaded. Its size has a limit that does not depend on the number of files. May import view's formatting, and the
bus. Start with `page.py`, then `gantt.py`.
"""
