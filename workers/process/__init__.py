"""The worker process: the only place where a user's job runs.

`worker.py` requests a file, runs the job on it (`attempt.py`) and reports the outcome over `channel.py`. It is
forked from the process in `zygote.py`. Of a failed attempt `failure_reason.py` says why it failed, and
`trouble.py` whether every file would fail. `parent_watch.py` ends the process when its launcher dies,
`termination.py` says which signals do. `estimator.py` is the process that runs a job's `estimate`, `merger.py` the
one that merges the results of all files; each answers one question (`answering.py`). May import jobs, commit and
protocol. Start with `worker.py`.
"""
