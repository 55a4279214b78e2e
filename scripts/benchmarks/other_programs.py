"""Other programs that process the files of a folder, `other_programs.py NAME INPUTS OUTPUT WORKERS`.

All of them call the same function for each file, which writes its nap to OUTPUT. Imports nothing of ours but
`naps.py`, so that it runs in the environment of any of them.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from naps import process, process_durably

Process = Callable[[str], None]


def pool(files: list[str], output: str, workers: int) -> None:
    """Run multiprocessing.Pool, spawned as GPUs require, with one file at a time."""
    _pool(files, partial(process, output=output), workers)


def synced_pool(files: list[str], output: str, workers: int) -> None:
    """Run the same, with each result, its folder and a line of a journal synced to disk before the next file."""
    _pool(files, partial(process_durably, output=output), workers)


def _pool(files: list[str], process_one: Process, workers: int) -> None:
    with multiprocessing.get_context("spawn").Pool(workers) as processes:
        for _ in processes.imap_unordered(process_one, files, chunksize=1):
            pass


def joblib(files: list[str], output: str, workers: int) -> None:
    """Run joblib with one file at a time."""
    from joblib import Parallel, delayed

    Parallel(n_jobs=workers, batch_size=1)(delayed(process)(file, output) for file in files)


def dask(files: list[str], output: str, workers: int) -> None:
    """Run Dask distributed."""
    from distributed import Client, LocalCluster

    with (
        LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        client.gather(client.map(partial(process, output=output), files, pure=False))


def ray(files: list[str], output: str, workers: int) -> None:
    """Run Ray."""
    import ray

    ray.init(num_cpus=workers, include_dashboard=False, logging_level="error", log_to_driver=False)
    task = ray.remote(process)
    ray.get([task.remote(file, output) for file in files])


PROGRAMS: dict[str, Callable[[list[str], str, int], None]] = {
    "pool": pool,
    "synced-pool": synced_pool,
    "joblib": joblib,
    "dask": dask,
    "ray": ray,
}

if __name__ == "__main__":
    name, inputs, output, workers = sys.argv[1:]
    paths = [str(Path(inputs, each)) for each in sorted(os.listdir(inputs))]
    PROGRAMS[name](paths, output, int(workers))
