"""The logs of a run: what each attempt at a file, each worker and each helper has printed.

An attempt that has printed something has `logs/FILE.ATTEMPT.log` in the run folder (`names.py`), a worker's own
output is in `logs/worker-N.log`. `find.py` finds them, `lines.py` reads their last lines, `shorten.py` bounds
their size. May import files and run_folder. Start with `names.py`.
"""
