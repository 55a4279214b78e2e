"""What the source of a user's module says of a job: it is read, never run, so that the launcher can ask.

Start with `stated.py`; `module_source.py` finds the source. Imports of the jobs nothing.
"""
