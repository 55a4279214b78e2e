"""The worker process: the only place where a user's job runs.

`worker.py` asks for a file, runs the job (`attempt.py`) and reports, over `channel.py`; `parent_watch.py` ends it
with its launcher. `estimator.py` is the process that runs a job's `estimate`. May import jobs and protocol. Start
with `worker.py`.
"""
