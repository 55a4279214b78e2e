"""Launching: one run, from the plan that the command line makes to summary.json.

`launcher.py` is the loop that drives hub and workers. Used before it: `device_discovery.py`, `device_locks.py`,
`estimates.py` and `run_plan.py`; during it: `viewers.py`, `monitor_process.py` and `interruption.py`; after it:
`summary.py`, `merge_process.py` and `report_process.py`, or `failed_start.py` if it has not begun. May import pool
and resume. Start with `launcher.py`.
"""
