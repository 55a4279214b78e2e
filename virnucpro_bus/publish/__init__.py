"""Publishing: how a worker puts its events on the bus without ever waiting for a reader.

`publisher.py` is the public class (one method per event); `sender.py` below it numbers and sends the events, also
in a forked child. `joining.py` finds the bus, `own_files.py` opens files for `with` and `for`, `own_plan.py` and
`file_names.py` say what a worker is going to do. `worker_events.py` makes the events of what it is passed, which
`values.py` checks, and `totals.py` counts them for the heartbeats; `outbox.py` owns the socket and the bounded
spool behind it. `event_sink.py` is what those see that publish without a socket of their own. May import events,
system, devices and run_folder. Start with `publisher.py`.
"""
