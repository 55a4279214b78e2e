"""Publishing: how a worker puts its events on the bus without ever waiting for anybody.

`publisher.py` is the public face (one method an event); `outbox.py` owns the socket and the bounded spool behind
it. May import events and system. Start with `publisher.py`.
"""
