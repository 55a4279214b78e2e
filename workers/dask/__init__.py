"""Dask: the executor of a run whose workers are those of a Dask cluster, on this machine or on others.

Dask carries, our coordinator decides: each worker of the cluster holds one pinned task at a time, for one file.
`engine.py` finds or starts a cluster (`cluster.py`), and makes devices of it (`inventory.py`, `naming.py`). The
executor, `dask_workers.py`, seats the workers (`roster.py`), has them work (`sessions.py`), and speaks with
Dask (`link.py`); what they publish passes `arrivals.py`. What runs in the workers is in `member`. May import
pool, process, launch and what they import, and virnucpro_bus.dask. Start with `dask_workers.py`.
"""
