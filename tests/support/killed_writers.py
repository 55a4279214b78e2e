"""Writes captures in child processes and kills each at its own moment.

    python killed_writers.py FOLDER COUNT SEED

leaves FOLDER/N.vbus, and prints for each how many frames it had been told were synced. A program of its own,
because it forks: nothing else lives in it.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from pathlib import Path

from virnucpro_bus.capture.writer import CaptureWriter
from virnucpro_bus.clock import SystemClock

LONGEST_MILLISECONDS = 12


def frame(number: int) -> bytes:
    """The frame of that number: each is told from each other, and they are of uneven length."""
    return b"%06d" % number * (number * 7 % 600 + 1)


def write(path: Path, told: int) -> None:
    """Append, flush and sync until killed; 4 bytes on `told` after each sync: the number of frames synced."""
    writer, number = CaptureWriter(path, SystemClock()), 0
    while True:
        for _ in range(number % 9 + 1):
            batch = number % 13 + 1
            writer.append([frame(at) for at in range(number, number + batch)])
            number += batch
            writer.flush()
        writer.sync()
        os.write(told, number.to_bytes(4, "little"))


def killed(path: Path, after_seconds: float) -> int:
    """Start a writer of `path`, kill it after a while; returns how many frames had been synced."""
    reading, told = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        write(path, told)
    os.close(told)
    # The first word says that it is under way; then the moment of its death has no bearing on what it is doing.
    synced = os.read(reading, 4)
    time.sleep(after_seconds)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    while more := os.read(reading, 1 << 16):
        synced = (synced + more)[-4:]
    os.close(reading)
    return int.from_bytes(synced, "little")


def main(folder: Path, count: int, seed: int) -> None:
    dice = random.Random(seed)
    for number in range(count):
        print(killed(folder / f"{number}.vbus", dice.random() * LONGEST_MILLISECONDS / 1000), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
