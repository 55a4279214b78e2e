"""Snapshots: a fold as bytes, so that its history does not have to be folded once more.

A viewer that joins late takes over the fold of the hub. `format.py` converts a fold to bytes and back, a
millisecond at a time; `parts.py` divides what grows with a run. Pure. May import fold and what it imports. Start
with `format.py`.
"""
