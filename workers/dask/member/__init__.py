"""What runs in a worker of a Dask cluster.

`carried.py` is what Dask takes there. `survey.py` answers what the worker is; `session.py` runs the job of a run
in it. `own_worker.py` sets up a worker of a cluster of our own. May import process and what it imports, and
virnucpro_bus.dask; needs Dask. Start with `session.py`.
"""
