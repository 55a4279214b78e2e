"""Health: how a run stands. What is wrong with it, in lines, and how long it will still take.

`problems.py` finds what is wrong, `rows.py` has what it reads and what devices are called, `remaining.py` the rest
of the time. Any figure may be unknown, as those of a user's own source. Pure; imports the modules at the root of
the package and the types of events. Start with `problems.py`.
"""
