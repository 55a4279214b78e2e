"""Show workers that you start yourself on the dashboard: plain multiprocessing, and one Publisher in each process.

Three processes count the sequences of FASTA files. Each starts with its own share of the files and, when that is
done, takes files from the longest share left. The calls to the bus are marked (1) to (5); (1) and (2) are enough.

    virnucpro-bus hub my-run                                  in one terminal; it prints: export VIRNUCPRO_BUS=...
    export VIRNUCPRO_BUS=...                                  in a second one: that line, then
    python scripts/examples/own_workers.py samples/*.fa
    virnucpro-bus monitor my-run                              in a third one
"""

from __future__ import annotations

import argparse
import gzip
import multiprocessing
import sys
import time
from multiprocessing.sharedctypes import SynchronizedArray
from pathlib import Path

from virnucpro_bus import Publisher

WORKERS = 3


def work(number: int, shares: list[list[Path]], taken: SynchronizedArray[int]) -> None:
    """Run one worker process. `taken[n]` is how many files of `shares[n]` are taken; all processes share it."""
    # (1) Connect in the process that works, not in its parent. The address comes from VIRNUCPRO_BUS.
    # On GPUs leave `device` out: it is read from CUDA_VISIBLE_DEVICES and LOCAL_RANK.
    bus = Publisher.connect(device=f"cpu:{number}")
    while (found := take(number, shares, taken)) is not None:
        owner, file = found
        if owner != number:
            bus.work_stolen(source=f"cpu:{owner}", file=file)  # (3) the file was in another worker's share
        bus.file_started(file)  # (4) shows the file while it is in progress
        started = time.perf_counter()
        sequences = count_sequences(file)
        # (2) The one event that all figures are made of.
        bus.file_completed(file, sequences=sequences, duration_seconds=time.perf_counter() - started)
    bus.close()  # (5) reports the end now; without it, that happens when the process exits


def take(number: int, shares: list[list[Path]], taken: SynchronizedArray[int]) -> tuple[int, Path] | None:
    """Return the next file for a worker, and whose share it is from; None when all files are taken."""
    with taken.get_lock():
        left = [len(share) - taken[number] for number, share in enumerate(shares)]
        owner = number if left[number] else left.index(max(left))
        if not left[owner]:
            return None
        taken[owner] += 1
        return owner, shares[owner][taken[owner] - 1]


def count_sequences(file: Path) -> int:
    """Count the records of a FASTA file. Replace this with your model."""
    with gzip.open(file, "rb") if file.suffix == ".gz" else file.open("rb") as lines:
        return sum(line.startswith(b">") for line in lines)


def main() -> int:
    """Share the files out and wait for the workers; return 1 if one of them failed."""
    parser = argparse.ArgumentParser(description="Count the sequences of FASTA files in three processes.")
    parser.add_argument("files", nargs="+", type=Path)
    files = parser.parse_args().files
    spawn = multiprocessing.get_context("spawn")
    shares = [files[number::WORKERS] for number in range(WORKERS)]
    taken = spawn.Array("i", WORKERS)
    workers = [spawn.Process(target=work, args=(number, shares, taken)) for number in range(WORKERS)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return int(any(worker.exitcode for worker in workers))


if __name__ == "__main__":
    sys.exit(main())
