"""Launching: one run from the command line's arguments to summary.json.

`launcher.py` is the loop that turns hub and pool; the other files are what it starts and needs beside it: device
locks and discovery, the monitor and relay processes, estimates, the summary. May import pool and resume. Start
with `launcher.py`.
"""
