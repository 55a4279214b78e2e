"""Short files that a worker holds ahead of their turn, in real runs where one of them turns out to be long."""

from __future__ import annotations

import os
import signal
from itertools import pairwise
from pathlib import Path

from tests.support.lab import Lab, Started
from tests.support.run_files import Gates, recorded, small_files, summary
from virnucpro_bus.events.vocabulary import FileCommitted, FileCompleted, FileStarted, WorkStolen

FILES = 40
LONG = "small_12.fa"
"""By then the workers hold several files."""


class Held:
    """A run of two workers that are at these long files; by default one is, and holds short ones behind it."""

    def __init__(self, lab: Lab, policy: str, *long: str) -> None:
        self.names = small_files(lab.folder / "in", FILES)
        self.gates = Gates(lab.folder / "gates")
        long = long or (LONG,)
        self.gates.close(*long)
        self.out: Path = lab.folder / "out"
        self.running: Started = lab.start(
            *("run", "in", "--out", "out", "--devices", "cpu:2", "--no-dashboard", "--policy", policy),
            *("--job", "user_jobs:gated", "--job-option", self.gates.option),
        )
        self.running.until(lambda: len(self.gates.waiting()) == len(long), "the workers are at their gates")

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


def test_what_a_thief_holds_ahead_is_reported_as_stolen_when_it_is_begun_with_the_time_of_the_decision(
    lab: Lab,
) -> None:
    held = Held(lab, "cost", "small_00.fa", "small_01.fa")
    held.gates.open("small_01.fa")
    held.running.until(lambda: len(held.committed()) == FILES - 1, "all others are committed")
    held.gates.open()
    assert held.running.wait() == 0
    done = [each for each in recorded(held.out, FileCompleted) if each.event.file != "small_00.fa"]
    steals = {each.event.file: each.event for each in recorded(held.out, WorkStolen)}
    assert steals.keys() == {each.event.file for each in done[FILES // 2 :]}
    assert summary(held.out)["effect"]["moves"] == len(steals)
    ends = {each.event.file: before.wall_ns for before, each in pairwise(done)}
    assert any(each.stolen_at_ns < ends[file] for file, each in steals.items())
