"""The worker process: the only place where a user's job runs.

`worker.py` runs the job on one file after another (`attempt.py`), each of which is a `turn.py`. The thread in
`reporter.py` reports what is done over `channel.py`, and gets more. The process is forked from the one in
`zygote.py`. Of a failed attempt `failure_reason.py` says why it failed, and `trouble.py` whether every file would
fail. `parent_watch.py` ends the process when its launcher dies, `termination.py` says which signals do.
`estimator.py` is the process that runs a job's `estimate`, `merger.py` the one that merges the results of all
files; each answers one question (`answering.py`). May import jobs, commit and protocol. Start with `worker.py`.
"""
