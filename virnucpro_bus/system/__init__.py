"""The operating system, as the rest of the program sees it.

`disk.py` has the file operations that a crash must not tear, `folders.py` opens up and removes folders that
others have left, `private_files.py` has files of this user alone, `locks.py` locks on files, `socket_folder.py`
the place for local sockets; `child_process.py`, `signals.py`, `keyboard.py`, `memory.py` and
`standard_streams.py` are what they are named after, `adopted.py` is what PID 1 has to do, `console.py` the one
way to print a line to the user, `own_packages.py` how our modules are found where a user's have their names,
`cores.py` and `open_files.py` how many of those this process may use. Unaware of events; may import only the
modules at the root of the package. Start with `disk.py`.
"""
