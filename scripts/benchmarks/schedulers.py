"""Other ways to spread files over processes, for `bench makespan`: each processes the same files by sleeping.

`schedulers.py NAME SPEEDS` reads the files from stdin as JSON, (size, work) each, in the order in which they are
assigned, and prints when, how fast and in which process each was done (`napping.Nap`).
"""

from __future__ import annotations

import json
import multiprocessing as mp
import queue
import sys
import tempfile
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from time import sleep
from typing import Any

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[2])]

from naps import Nap, keep_durably, nap  # noqa: E402

from workers.schedule.plan import assign  # noqa: E402

POLL_SECONDS = 3.0
_own_speed = 1.0

Files = list[tuple[int, int]]
"""The size of each file, which is the estimate of its work, and its work."""


def _take_speed(speeds: Any) -> None:
    global _own_speed
    _own_speed = speeds.get()


def _nap(work: int) -> Nap:
    return nap(work, _own_speed)


def _nap_and_keep(file: tuple[int, int], folder: str) -> Nap:
    """Sleep and have the result on disk before the next file, as a program does that must not lose results."""
    name, work = file
    done = _nap(work)
    keep_durably(done, Path(folder), str(name))
    return done


def imap_unordered(files: Files, speeds: list[float]) -> Iterable[Nap]:
    """Run multiprocessing.Pool.imap_unordered with one file at a time."""
    return _pool(speeds, _nap, [work for _, work in files])


def imap_synced(files: Files, speeds: list[float]) -> Iterable[Nap]:
    """Run the same, with each result, its folder and a line of a journal synced to disk before the next file."""
    with tempfile.TemporaryDirectory() as folder:
        works = [work for _, work in files]
        return _pool(speeds, partial(_nap_and_keep, folder=folder), list(enumerate(works)))


def _pool(speeds: list[float], do: Callable[[Any], Nap], files: list[Any]) -> list[Nap]:
    context = mp.get_context("spawn")
    numbers = context.Queue()
    for speed in speeds:
        numbers.put(speed)
    with context.Pool(len(speeds), _take_speed, (numbers,)) as pool:
        # All processes are up before the first file.
        pool.map(_nap, [10_000] * len(speeds), chunksize=1)
        return list(pool.imap_unordered(do, files, chunksize=1))


def _work(files: Any, own: int, speed: float, steal: bool, start: Any, done: Any) -> None:
    start.wait()
    times = []
    victim = files[own]
    while True:
        try:
            times.append(nap(victim.get_nowait(), speed))
            victim = files[own]
            continue
        except queue.Empty:
            longest = max(files, key=lambda each: each.qsize())
        if not steal or longest.empty():
            break
        # The own queue is empty: take from the longest one, then wait before the next attempt.
        victim = longest
        if not files[own].qsize():
            sleep(POLL_SECONDS)
    done.put(times)


def _queues(files: Files, speeds: list[float], *, steal: bool) -> Iterable[Nap]:
    context = mp.get_context("spawn")
    with context.Manager() as manager:
        pending = [manager.Queue() for _ in speeds]
        for device, numbers in enumerate(assign([size for size, _ in files], [1.0] * len(speeds))):
            for number in numbers:
                pending[device].put(files[number][1])
        start, done = manager.Barrier(len(speeds)), manager.Queue()
        workers = [
            context.Process(target=_work, args=(pending, own, speed, steal, start, done))
            for own, speed in enumerate(speeds)
        ]
        for worker in workers:
            worker.start()
        times = [each for _ in workers for each in done.get()]
        for worker in workers:
            worker.join()
    return times


def static(files: Files, speeds: list[float]) -> Iterable[Nap]:
    """Run static shares: each process has its own queue."""
    return _queues(files, speeds, steal=False)


def manager_queues(files: Files, speeds: list[float]) -> Iterable[Nap]:
    """Run queues of a multiprocessing.Manager from which other processes steal, every 3 s."""
    return _queues(files, speeds, steal=True)


def _dask(files: Files, speeds: list[float], *, stealing: bool) -> Iterable[Nap]:
    import dask
    from distributed import Client, LocalCluster, get_worker

    def on_worker(work: int) -> Nap:
        return nap(work, speeds[int(get_worker().name)])

    dask.config.set({"distributed.scheduler.work-stealing": stealing})
    with (
        LocalCluster(n_workers=len(speeds), threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        client.wait_for_workers(len(speeds))
        naps: list[Nap] = client.gather(client.map(on_worker, [work for _, work in files], pure=False))
        return naps


def dask_stealing(files: Files, speeds: list[float]) -> Iterable[Nap]:
    """Run Dask distributed."""
    return _dask(files, speeds, stealing=True)


def dask_without_stealing(files: Files, speeds: list[float]) -> Iterable[Nap]:
    """Run Dask distributed without its work stealing."""
    return _dask(files, speeds, stealing=False)


SCHEDULERS: dict[str, Callable[[Files, list[float]], Iterable[Nap]]] = {
    "imap_unordered": imap_unordered,
    "imap-synced": imap_synced,
    "static": static,
    "manager-queues": manager_queues,
    "dask": dask_stealing,
    "dask-no-stealing": dask_without_stealing,
}

if __name__ == "__main__":
    naps = SCHEDULERS[sys.argv[1]](json.load(sys.stdin), [float(each) for each in sys.argv[2].split(",")])
    print(json.dumps(list(naps)))
