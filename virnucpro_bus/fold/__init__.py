"""The fold: one stream of events in, the state of every host and device out.

`host_fold.py` has a handler for each kind of event; `fleet.py` holds the hosts of one bus and answers for all of
them. Pure: no I/O, and the time is passed in. May import effect, health, samples and
events. Start with `host_fold.py`.
"""
