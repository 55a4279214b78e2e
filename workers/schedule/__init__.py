"""Scheduling: which device gets which file next, with files and devices as numbers.

`plan.py` makes the first assignment; `scheduler.py` leases files out of the `queues.py`; `policy.py` and
`cost_policy.py` decide what is stolen; `ahead.py`, how many short files a device gets at once; `shard.py` divides
the inputs among several runs. Pure: no I/O, and the time is passed in. May import only inputs.py and the bus.
Start with `scheduler.py`.
"""
