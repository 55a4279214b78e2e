"""The job of `scripts/demo` for simulated GPUs: it sleeps in proportion to a file's size and the device's speed.

python demo_job.py FOLDER     writes the input files, the same each time
"""

from __future__ import annotations

import random
import sys
import time
from pathlib import Path

from virnucpro_bus.device_keys import index_in
from workers.jobs import JobContext

FILES = 96
SPEEDS = (1.0, 1.0, 1.5, 2.5, 1.0, 0.6)
"""The devices' speeds. The plan assumes that they are equal, so there is something to steal."""
BASES_PER_SECOND = 1_000.0
STEPS = 10


def job(input: Path, output: Path, context: JobContext) -> int:
    """Sleep in proportion to the file's size and report progress; fail on the broken file."""
    speed = SPEEDS[(index_in(context.device_key) or 0) % len(SPEEDS)]
    bases = input.stat().st_size
    for step in range(1, STEPS + 1):
        time.sleep(bases / STEPS / BASES_PER_SECOND / speed)
        context.progress(bases * step // (STEPS * 100))
    if input.stem.endswith("broken"):
        raise ValueError("a sequence line before any header")
    (output / "done.txt").write_text(f"{bases}\n")
    return bases // 100


def main() -> None:
    """Write the input files into the folder given on the command line."""
    folder, dice = Path(sys.argv[1]), random.Random(6)
    for number in range(FILES):
        bases = round(1_300 * dice.lognormvariate(-0.125, 0.5)) + 100
        name = f"sample_{number:02}{'_broken' if number == 60 else ''}.fa"
        (folder / name).write_text(">s\n" + "ACGT" * (bases // 4) + "\n")


if __name__ == "__main__":
    main()
