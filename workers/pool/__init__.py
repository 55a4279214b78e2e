"""The pool: the launcher's side of the worker processes, and the executor of a run on this machine.

`pool.py` starts, restarts and ends them; `slot.py` is one device and its process; `environment.py` is what such a
process finds in its environment; `dispatcher.py` is its channel to the desk; `orphan_guard.py` ends what workers
and a dead launcher leave behind. May import desk and what it imports. Start with `pool.py`.
"""
