"""Input files for whole runs, and what a run folder holds afterwards."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tests.support.paths import DATA
from virnucpro_bus.capture.reader import CaptureReader
from virnucpro_bus.events.codec import decode
from virnucpro_bus.events.envelope import Envelope

SAMPLE = DATA / "sample"
USER_JOBS = Path(__file__).with_name("user_jobs.py")
REPORTING_COMMAND = Path(__file__).with_name("reporting_command.py")
COUNT = 40


def forty_files(folder: Path) -> Path:
    """Make `folder` with 40 FASTA files of 46 to 100,000 bytes, two of them gzipped."""
    folder.mkdir()
    for path in sorted(SAMPLE.iterdir()):
        shutil.copyfile(path, folder / path.name)
    records = (SAMPLE / "reads_27.fa").read_text().split(">")[1:]
    for number in range(COUNT - len(list(folder.iterdir()))):
        part = records[: 1 + 3 * number * number]
        (folder / f"part_{number:02}.fa").write_text("".join(f">{number}_{record}" for record in part))
    return folder


def small_files(folder: Path, count: int) -> list[str]:
    """Make `folder` with `count` FASTA files, each smaller than the one before; their names, in that order."""
    folder.mkdir()
    records = (SAMPLE / "reads_11.fa").read_text().split(">")[1:]
    names = [f"small_{number:02}.fa" for number in range(count)]
    for number, name in enumerate(names):
        (folder / name).write_text("".join(f">{record}" for record in records[: 2 * (count - number)]))
    return names


def results(run_dir: Path) -> dict[str, bytes]:
    """Every result file by its path below results/."""
    folder = run_dir / "results"
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def result_names(inputs: Iterable[str]) -> set[str]:
    """What sixframe makes of `inputs`, which are plain .fa files."""
    return {name.removesuffix(".fa") + end for name in inputs for end in (".nucleotide.fa", ".protein.faa")}


def summary(run_dir: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((run_dir / "summary.json").read_text())
    return found


def recorded(run_dir: Path, kind: type) -> list[Envelope]:
    """The events of `kind` in the run's capture, in the order in which they came in."""
    envelopes = (decode(record.frame) for record in CaptureReader(run_dir / "run.vbus"))
    return [envelope for envelope in envelopes if isinstance(envelope, Envelope) and type(envelope.event) is kind]


class Gates:
    """The other side of `user_jobs.gated`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()

    @property
    def option(self) -> str:
        """For --job-option."""
        return f"gates={self.folder}"

    def close(self, *names: str) -> None:
        for name in names:
            (self.folder / f"{name}.closed").touch()

    def open(self, *names: str) -> None:
        """Open the gates of `names`, or all."""
        for path in [self.folder / f"{name}.closed" for name in names] or self.folder.glob("*.closed"):
            path.unlink()

    def waiting(self) -> dict[str, int]:
        """Who waits at a closed gate: pid by file name."""
        arrived = {path.stem: int(path.read_text()) for path in self.folder.glob("*.pid")}
        return {name: pid for name, pid in arrived.items() if (self.folder / f"{name}.closed").exists()}

    def visible_devices(self, name: str) -> str:
        """CUDA_VISIBLE_DEVICES of the worker that has arrived with a file."""
        return (self.folder / f"{name}.visible").read_text()
