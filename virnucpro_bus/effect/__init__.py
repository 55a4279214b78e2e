"""The effect of stealing: how much time moving files between devices saved or cost, computed from events alone.

`work_log.py` keeps the plan, completions and steals; `totals.py` adds them up incrementally; `speeds.py` tells how
fast devices are, `standing.py` where each stands, and `outlook.py` what follows for the run; `effect.py` holds the
formulas, which docs/effect.md explains, and makes the range of each result from what `assumptions.py` leaves in
doubt. Pure: no I/O, and the time is passed in. May import events. Start with
`effect.py`.
"""
