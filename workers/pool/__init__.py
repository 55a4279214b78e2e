"""The pool: the launcher's side of the worker processes, and the executor of a run on this machine.

`pool.py` starts, restarts and ends them; `slot.py` is one device and its process; `zygote.py` has the processes
forked; `environment.py` is what they find in their environment; `dispatcher.py` is their channel to the desk;
`orphan_guard.py` ends what workers and a dead launcher leave behind, in a process of its own (`guard_process.py`).
May import desk and process, and what these import. Start with `pool.py`.
"""
