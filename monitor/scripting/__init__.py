"""Scripting: what scripts need of a run. To wait for its end, its exit status, and commands that are called.

`standing.py` says how a followed run stands or has ended, in a line and an exit status; `beginning.py` waits until
there is a run. `calls.py` decides which command is to be called (pure), `facts.py` what it is given, `hooks.py`
watches the runs and calls. Start with `standing.py`.
"""
