#!/usr/bin/env python3
"""Show your own workers on the dashboard: an example with nothing but multiprocessing.

Three processes count the sequences of FASTA files. Each begins with its own share of the files, and takes from
the longest share left when its own is done. What they tell the bus is at (1) to (5); (1) and (2) are enough.

    virnucpro-bus hub my-run                         in one terminal; it prints a line: export VIRNUCPRO_BUS=...
    export VIRNUCPRO_BUS=...                         in a second one: that line, then
    python scripts/example_workers.py samples/*.fa
    virnucpro-bus monitor my-run                     in a third one
"""

from __future__ import annotations

import gzip
import multiprocessing
import sys
import time
from multiprocessing.sharedctypes import SynchronizedArray
from pathlib import Path

from virnucpro_bus import Publisher

WORKERS = 3


def work(number: int, shares: list[list[Path]], taken: SynchronizedArray[int]) -> None:
    """What one process does. `taken[n]` files of `shares[n]` are taken already; all processes see that."""
    # (1) Connect in the process that works, not in the one that starts it. The address is that of VIRNUCPRO_BUS.
    # On GPUs leave `device` out: it is told from CUDA_VISIBLE_DEVICES and LOCAL_RANK.
    bus = Publisher.connect(device=f"cpu:{number}")
    while (found := take(number, shares, taken)) is not None:
        owner, file = found
        if owner != number:
            bus.work_stolen(source=f"cpu:{owner}", file=file)  # (3) it stood in somebody else's queue
        bus.file_started(file)  # (4) shows the file while it is in hand
        started = time.perf_counter()
        sequences = count_sequences(file)
        # (2) The one event that all figures are made of.
        bus.file_completed(file, sequences=sequences, duration_seconds=time.perf_counter() - started)
    bus.close()  # (5) says goodbye now rather than when the process ends


def take(number: int, shares: list[list[Path]], taken: SynchronizedArray[int]) -> tuple[int, Path] | None:
    """The next file for a worker and whose share it is from; None when all are taken."""
    with taken.get_lock():
        left = [len(share) - gone for share, gone in zip(shares, taken[:], strict=True)]
        owner = number if left[number] else left.index(max(left))
        if not left[owner]:
            return None
        taken[owner] += 1
        return owner, shares[owner][taken[owner] - 1]


def count_sequences(file: Path) -> int:
    """Stands for the model."""
    with gzip.open(file, "rb") if file.suffix == ".gz" else file.open("rb") as lines:
        return sum(line.startswith(b">") for line in lines)


def main(names: list[str]) -> None:
    files = [Path(name) for name in names]
    spawn = multiprocessing.get_context("spawn")
    shares = [files[number::WORKERS] for number in range(WORKERS)]
    taken = spawn.Array("i", WORKERS)
    workers = [spawn.Process(target=work, args=(number, shares, taken)) for number in range(WORKERS)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    sys.exit(any(worker.exitcode for worker in workers))


if __name__ == "__main__":
    main(sys.argv[1:])
