"""History: gives a viewer that joins late every event that was recorded before.

A client requests hello, snapshot or read; the server answers from the capture and from a fold that it keeps up to
date, as far as possible with the events that the hub has decoded anyway (`noted_events.py`). `kept_snapshot.py`
is what it sends of that fold, `recorded_clock.py` the clock of what is recorded. May import snapshot, capture and
what they import. Start with `protocol.py`, which defines what both ends send.
"""
