"""Short files that a worker holds ahead of their turn, in real runs where one of them turns out to be long."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from tests.support.lab import Lab, Started
from tests.support.run_files import Gates, recorded, small_files, summary
from virnucpro_bus.events.vocabulary import FileCommitted, FileStarted

FILES = 40
LONG = "small_12.fa"
"""By then the workers hold several files."""


class Held:
    """A run of two workers, one of which is at a long file and holds short ones behind it."""

    def __init__(self, lab: Lab, policy: str) -> None:
        self.names = small_files(lab.folder / "in", FILES)
        self.gates = Gates(lab.folder / "gates")
        self.gates.close(LONG)
        self.out: Path = lab.folder / "out"
        self.running: Started = lab.start(
            *("run", "in", "--out", "out", "--devices", "cpu:2", "--no-dashboard", "--policy", policy),
            *("--job", "user_jobs:gated", "--job-option", self.gates.option),
        )
        self.running.until(self.gates.waiting, "the job is at its gate")

    def started(self) -> list[str]:
        """The files of the worker that the long one belongs to, in the order in which it has begun them."""
        events = sorted(recorded(self.out, FileStarted), key=lambda each: each.seq)
        by_device: dict[str, list[str]] = {}
        for each in events:
            by_device.setdefault(each.event.device, []).append(each.event.file)
        return next(files for files in by_device.values() if LONG in files)

    def committed(self) -> list[str]:
        return [each.event.file for each in recorded(self.out, FileCommitted)]


def test_a_run_that_is_interrupted_begins_none_of_the_files_that_a_worker_holds(lab: Lab) -> None:
    held = Held(lab, "off")
    held.running.signal(signal.SIGINT)
    held.running.until_it_says("press Ctrl-C again")
    held.gates.open()
    assert held.running.wait() == 130
    assert held.started()[-1] == LONG
    assert LONG in held.committed()
    assert summary(held.out)["totals"]["files_completed"] == len(held.committed()) < FILES


def test_a_worker_that_dies_at_a_long_file_returns_those_behind_it_as_if_it_had_not_held_them(lab: Lab) -> None:
    held = Held(lab, "off")
    os.kill(held.gates.waiting()[LONG], signal.SIGKILL)
    held.gates.open()
    assert held.running.wait() == 0
    again = {each.event.file for each in recorded(held.out, FileStarted) if each.event.attempt > 1}
    # The one before it may be unreported.
    assert {LONG} <= again <= set(held.names[: held.names.index(LONG) + 1])
    assert sorted(held.committed()) == sorted(held.names)


def test_files_behind_one_that_turns_out_to_be_long_are_done_by_the_other_worker_meanwhile(lab: Lab) -> None:
    held = Held(lab, "cost")
    held.running.until(lambda: len(held.committed()) == FILES - 1, "all others are committed")
    held.gates.open()
    assert held.running.wait() == 0
    assert {each.event.attempt for each in recorded(held.out, FileStarted)} == {1}
