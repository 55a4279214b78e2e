"""The logs of a run: what each attempt at a file, each worker and each helper has printed.

An attempt that has printed something has `logs/FILE.ATTEMPT.log` in the run folder (`names.py`), a worker's own
output is in `logs/worker-N.log`. `attempt_logs.py` has an attempt print into its log; `log_bound.py` bounds both
while they are written, by `shorten.py`. `find.py` finds logs, `lines.py` reads their last lines, `follow.py` what
is added to them. May import files, run_folder and text. Start with `names.py`.
"""
