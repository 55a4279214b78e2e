"""The work of real benchmark runs, which is sleep, for whatever program runs it. Imports nothing but the library.

A file of work N takes N / WORK_PER_SECOND / speed seconds. The work is in the file's name ("f17_250000.fa"),
because its size may be a wrong estimate.
"""

from __future__ import annotations

import os
from pathlib import Path
from time import monotonic, sleep

WORK_PER_SECOND = 1_000_000
RESULTS = "*.nap"

Nap = tuple[float, float, float, int]
"""Begin and end on the machine's clock in seconds, the speed, and the process id."""


def nap(work: int, speed: float) -> Nap:
    """Sleep as long as the work takes at this speed."""
    began = monotonic()
    sleep(work / WORK_PER_SECOND / speed)
    return began, monotonic(), speed, os.getpid()


def work_of(input: Path) -> int:
    """Return the work of a file."""
    return int(input.stem.partition("_")[2])


def keep(done: Nap, output: Path, stem: str) -> None:
    """Write a nap as a result."""
    (output / f"{stem}.nap").write_text(" ".join(map(str, done)))


def keep_durably(done: Nap, output: Path, stem: str) -> None:
    """Write a nap as a program must that loses no result: sync the result, its folder and a line of a journal."""
    part = output / f"{stem}.part"
    with part.open("w") as file:
        file.write(" ".join(map(str, done)))
        file.flush()
        os.fsync(file.fileno())
    part.rename(output / f"{stem}.nap")
    folder = os.open(output, os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)
    with (output / "journal").open("a") as journal:
        journal.write(f"{stem} is done\n")
        journal.flush()
        os.fsync(journal.fileno())


def read_naps(results: Path) -> list[Nap]:
    """Return the naps that are the results in a folder."""
    lines = [each.read_text().split() for each in results.glob(RESULTS)]
    return [(float(begin), float(end), float(speed), int(process)) for begin, end, speed, process in lines]


def process(input: str, output: str) -> None:
    """Process a file, and write the result, as a function that a pool calls."""
    path = Path(input)
    keep(nap(work_of(path), 1.0), Path(output), path.stem)


def process_durably(input: str, output: str) -> None:
    """Do the same, and lose no result."""
    path = Path(input)
    keep_durably(nap(work_of(path), 1.0), Path(output), path.stem)
