"""The pool: the launcher's end of the worker processes.

`pool.py` starts, restarts and ends them; `slot.py` is one device and its process; `dispatcher.py` answers their
requests; `watchdog.py` decides which are hung. May import commit and what it imports. Start with `pool.py`.
"""
