"""Resuming: what earlier sessions of a run have done, and what remains to do.

`past_folder.py` opens the folder of an earlier run, or removes that run. `journal.py` reads the capture as the
run's journal; `resume.py` compares it with inputs and results.
`recognition.py` finds which planned file an input is, `naming.py` keeps the ids of those and fits in new ones;
`as_planned.py` has what shows that an input is as planned, `past_plan.py` all that was planned, `past_results.py`
the names of results in place; `unnamed_results.py` finds those without names. `log_path.py` decides which metrics
logs belong to the run. May import commit and what it imports. Start with `resume.py`.
"""
