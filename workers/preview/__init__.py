"""What a run would do, worked out before anything is started: which files on which device, and until when.

Nothing is written. Start with `preview.py`; `past_speeds.py` reads what an earlier session of the run has
measured, and `makespan.py` makes an expected time of it. May import everything but `launch` and `cli`.
"""
