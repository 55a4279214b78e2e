"""The effect of stealing: how much time moving files between devices saved or cost, computed from events alone.

`work_log.py` keeps the plan, completions and steals; `totals.py` adds them up incrementally; `effect.py` holds the
formulas, which docs/effect.md explains. Pure: no I/O, and the time is passed in. May import events.
"""
