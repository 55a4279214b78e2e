"""Files and folders, on disks that fill up, crash, or lack abilities.

`disk.py` has the operations that a crash must not tear, `folders.py` opens up and removes folders that others have
left, `locks.py` locks files, `new_files.py` writes what a user asks for, whole or not at all, `gzipped.py`
compresses that, `plain_files.py` reads a small file without waiting, `private_files.py` makes files of this user
alone, `user_folders.py` says where those are, `socket_folder.py` finds a place for local sockets. Unaware of
events; may import only the modules at the root of the package. Start with `disk.py`.
"""
