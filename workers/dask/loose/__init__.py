"""Loose tasks: a run on a Dask cluster where Dask's own scheduler decides, the policy `dask`.

All files are submitted at once, each at the device that it was first assigned to, and Dask moves them to workers
that are idle. `loose_sessions.py` takes part when a worker begins a file, and then all is as ever: lease, commit,
retries, blame. `offers.py` holds the tasks that are not over; `loose_arrivals.py` passes on what the workers
publish; `stealing_log.py` reads what Dask's scheduler logs of its steals. May import what workers.dask may. Start
with `loose_sessions.py`.
"""
