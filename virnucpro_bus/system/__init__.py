"""The operating system, as the rest of the program sees it.

`disk.py` has the file operations that a crash must not tear, `folders.py` opens up and removes folders that others
have left, `private_files.py` has files of this user alone and locks. `child_process.py`, `signals.py` and
`keyboard.py` have what they are named after, `console.py` the one way to print a line to the user. Unaware of
events; may import only the modules at the root of the package. Start with `disk.py`.
"""
