"""The desk: where the workers of a run get their files and hand in what they have done, whatever they are.

`desk.py` hands out, has committed and takes back; `reports.py` settles what workers report; `seat.py` is one
device of the run and the worker at it; `watchdog.py` detects the ones that exceed the `limits.py`. `halt.py` and
`first_failures.py` end a run early; `failure_kind.py` knows which failures are alike. `executor.py` is what the
launcher drives, such as the processes of `workers/pool`, and what it is made of. May import commit and what it
imports. Start with `desk.py`.
"""
