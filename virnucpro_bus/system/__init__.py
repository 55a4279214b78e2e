"""The operating system, as the rest of the program sees it.

Atomic and private files, child processes, signals, the keyboard, one way to print a line to the user. Knows
nothing of events; imports only the modules at the root of the package. Start with `disk.py`.
"""
