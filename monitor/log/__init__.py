"""The metrics log: one CSV row per device and interval.

`metrics_log.py` makes the rows; `rotating_file.py` is the file under them, which survives a full disk and rotates.
"""
