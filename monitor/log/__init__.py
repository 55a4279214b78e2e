"""The metrics log: one CSV row a device and interval.

`metrics_log.py` is what stands in a row; `rotating_file.py` is the file under it, which survives a full disk and
rotates.
"""
