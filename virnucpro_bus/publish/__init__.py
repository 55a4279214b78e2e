"""Publishing: how a worker puts its events on the bus without ever waiting for a reader.

`publisher.py` is the public class (one method per event); `worker_events.py` makes the events of what it is
passed, which `values.py` checks, and `totals.py` counts them for the heartbeats; `outbox.py` owns the socket and
the bounded spool behind it. May import events and system. Start with `publisher.py`.
"""
