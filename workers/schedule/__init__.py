"""Scheduling, in numbers alone: which file goes to which device next.

`plan.py` makes the first assignment, `scheduler.py` gives files out from `queues.py`, and `policy.py` and
`cost_policy.py` decide what is stolen. Pure: no I/O, and the time is passed in. Start with `scheduler.py`.
"""
