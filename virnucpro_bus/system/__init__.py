"""The operating system, as the rest of the program sees it.

`disk.py` has the file operations that a crash must not tear, `private_files.py` files of this user alone and
locks, `child_process.py`, `signals.py`, `keyboard.py`, `standard_streams.py` and `memory.py` what they are named
after, `console.py` the one way to print a line to the user. Unaware of events; may import only the modules at the
root of the package. Start with `disk.py`.
"""
