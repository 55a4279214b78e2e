"""The process that makes one file of the results of all files when a session is over; no run depends on it.

The file's name belongs to the run: no input gets it for its results, and the journal holds it like those of
results, under no file. So it is removed when the run is resumed, which makes it untrue, and with the run.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import msgspec

from virnucpro_bus.errors import CaptureError
from virnucpro_bus.events.vocabulary import FileResults
from virnucpro_bus.files.disk import draft_of
from virnucpro_bus.run_folder import CAPTURE_NAME, RESULTS_NAME
from virnucpro_bus.system.child_process import ask
from virnucpro_bus.system.own_packages import own_program
from workers.commit.placement import Placement, results_events
from workers.jobs.named_job import Merge, merged_names
from workers.process.merger import Question, Reply
from workers.protocol import to_bytes
from workers.resume.journal import PastRun, read_past_run

OF_THE_RUN = ""
"""Stands for the run where an event has the id of a file."""


def claim_merged(merge: Merge | None, run_dir: Path) -> Iterator[FileResults]:
    """Yield what the journal must hold before the file is written; nothing if the user has one of its name."""
    if merge is not None and not os.path.lexists(run_dir / RESULTS_NAME / merge.name):
        yield from results_events(OF_THE_RUN, 0, Placement("", merged_names(merge)))


def write_merged(
    job: str, merge: Merge, run_dir: Path, stopped: Callable[[], bool], report: Callable[[str], object]
) -> None:
    """Write the merged file of all that is done, whichever session did it; `report` gets what goes wrong.

    Nothing is written if no file is done, or once `stopped`, which is called several times a second, returns true.
    """
    target = run_dir.absolute() / RESULTS_NAME / merge.name
    try:
        past = read_past_run(run_dir / CAPTURE_NAME)
    except CaptureError as error:
        report(f"{merge.name} is not written: {error}")
        return
    if merge.name not in past.results.paths(OF_THE_RUN):
        report(f"{target}: is not a file of this run, and is kept; what the job would write there is missing")
        return
    files = _results(past, target.parent)
    problem = _write(Question(job, to_bytes(target), files), stopped) if files else None
    if problem is not None:
        with suppress(OSError):
            draft_of(target).unlink()
        report(f"{merge.name} is not written: {problem}; to try again, continue the run with --resume")
    elif lacking := len(past.committed) - len(files):
        report(f"{merge.name} lacks {lacking} files: the capture does not hold the names of their results")


def _results(past: PastRun, folder: Path) -> list[tuple[str, list[bytes]]]:
    """Return each file that is done, by id, with the paths of its results."""
    placements = [
        (file, past.results.of_commit(file, event.results)) for file, event in sorted(past.committed.items())
    ]
    return [
        (file, [to_bytes(folder / path) for path in placement.paths() if not path.endswith("/")])
        for file, placement in placements
        if placement is not None
    ]


def _write(question: Question, stopped: Callable[[], bool]) -> str | None:
    """Have the file written; return why it is not, None if it is."""
    if stopped():
        return "there was no time for it"
    try:
        answer = ask(
            own_program("workers.process.merger"),
            msgspec.msgpack.encode(question),
            stopped=stopped,
            environment={**os.environ, "CUDA_VISIBLE_DEVICES": ""},
        )
        return msgspec.msgpack.decode(answer.output, type=Reply).problem
    except OSError as error:
        return f"its process cannot be started: {error.strerror}"
    except subprocess.TimeoutExpired:
        return "there was no time for it"
    except (msgspec.DecodeError, UnicodeDecodeError):
        return f"its process ended with exit status {answer.status}"
