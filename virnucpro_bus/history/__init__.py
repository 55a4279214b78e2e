"""History: gives a viewer that joins late every event that was recorded before.

A client requests hello, snapshot or read; the server answers from the capture and from a fold that it keeps up to
date; `kept_snapshot.py` is what it sends of that. `recorded_clock.py` is the clock of what is recorded. May import
snapshot, capture and what they import. Start with `protocol.py`, which defines what both ends send.
"""
