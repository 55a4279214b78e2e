"""The pool: the launcher's side of the worker processes.

`pool.py` starts, restarts and ends them; `slot.py` is one device and its process; `environment.py` is what such a
process finds in its environment; `dispatcher.py` answers their requests; `watchdog.py` detects hung ones;
`orphan_guard.py` ends what a dead launcher leaves behind. May import commit and what it imports. Start with
`pool.py`.
"""
