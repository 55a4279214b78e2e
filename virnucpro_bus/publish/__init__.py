"""Publishing: how a worker puts its events on the bus without ever waiting for a reader.

`publisher.py` is the public class (one method per event); `values.py` checks what it is passed; `outbox.py` owns
the socket and the bounded spool behind it. May import events and system. Start with `publisher.py`.
"""
