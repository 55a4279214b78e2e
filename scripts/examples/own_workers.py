"""Show workers that you start yourself on the dashboard: plain multiprocessing, and one Publisher in each process.

Three processes count the sequences of FASTA files. Each starts with its own share of the files and, when that is
done, takes files from the longest share left. The calls to the bus are marked (1) to (5); (1) and (3) are enough.

    virnucpro-bus hub my-run                                  in one terminal
    VIRNUCPRO_BUS=my-run python scripts/examples/own_workers.py samples/*.fa       in a second one
    virnucpro-bus monitor my-run                              in a third one

Without VIRNUCPRO_BUS, the calls do nothing.
"""

from __future__ import annotations

import argparse
import gzip
import multiprocessing
import sys
from itertools import chain
from multiprocessing.sharedctypes import SynchronizedArray
from pathlib import Path

from virnucpro_bus import Publisher

WORKERS = 3


def work(number: int, shares: list[list[Path]], taken: SynchronizedArray[int]) -> None:
    """Run one worker process. `taken[n]` is how many files of `shares[n]` are taken; all processes share it."""
    # (1) Connect in the process that works. On GPUs leave `device` out: it is found by the environment and torch.
    with Publisher.connect(device=f"cpu:{number}") as bus:
        # (2) What this worker is going to do: progress, the expected end and the effect of stealing need that.
        # `among`: files of one name in several folders are called alike by all workers.
        bus.plan(shares[number], among=chain(*shares))
        while (found := take(number, shares, taken)) is not None:
            owner, file = found
            if owner != number:
                bus.work_stolen(source=f"cpu:{owner}", file=file)  # (4) the file was in another worker's share
            with bus.file(file) as done:  # (3) started, then completed with its duration, or failed
                done.sequences = count_sequences(file)
    # (5) The end of `with` reports the end of the worker; without it, that happens when the process exits.


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
