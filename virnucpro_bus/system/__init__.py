"""The process and its machine, as the rest of the program sees them.

`child_process.py`, `signals.py`, `keyboard.py`, `memory.py` and `standard_streams.py` are what they are named
after; `console.py` is the one way to print a line to the user, `adopted.py` what PID 1 has to do,
`process_state.py` whether any process runs, `process_usage.py` what this one uses. `own_packages.py` finds our
modules where a user's have their names, `cores.py` and `open_files.py` tell how many of those this process may
use. Unaware of events; may import only the modules at the root of the package. Start with `child_process.py`.
"""
