"""What a launched run has done is what its coordinator has committed, whatever else is on the bus."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from virnucpro_bus import events as ev
from virnucpro_bus.clock import ManualClock
from virnucpro_bus.events.vocabulary import Device
from virnucpro_bus.fold.fleet import FleetState
from virnucpro_bus.testing import Script

CPU = Device("cpu:0", "", 0)


def started(files: int = 3) -> Script:
    """A run of that many files, the first two of which are done, with two sequences each."""
    script = Script()
    script.say("coordinator", ev.RunStarted("job", "off", (CPU,), files))
    script.say("worker-0", ev.WorkerStarted(CPU, 1))
    for name in ("a.fa", "b.fa"):
        script.say("worker-0", ev.FileCompleted("cpu:0", name, 1, 2, 1.0))
        commit(script, name)
    return script


def commit(script: Script, file: str, epoch: int = 1) -> None:
    script.say("coordinator", ev.FileCommitted("cpu:0", file, 1, 1, 9, "digest", 2), epoch=epoch)


def counts(frames: list[bytes]) -> tuple[int, int, int]:
    """Completed and failed files and sequences of the run; its only device must agree."""
    fleet = FleetState(ManualClock())
    fleet.feed(frames)
    totals, row = fleet.get_totals(), fleet.get_gpu_metrics()[0]
    assert (row["files_completed"], row["sequences"]) == (totals["files_completed"], totals["sequences"])
    return totals["files_completed"], totals["files_failed"], totals["sequences"]


def test_files_that_others_complete_are_not_the_runs() -> None:
    script = started()
    script.say("pid-9", ev.FileCompleted("cpu:0", "c.fa", 0, 1_000, 1.0))
    script.say("pid-9", ev.Heartbeat("cpu:0", "idle", 2**62, 0, 2**62, 0, 0))
    assert counts(script.frames()) == (2, 0, 4)


def test_a_file_that_is_committed_again_is_done_once() -> None:
    script = started()
    commit(script, "a.fa", epoch=2)
    assert counts(script.frames()) == (2, 0, 4)


def test_a_file_that_is_reopened_is_not_done_until_it_is_committed_again() -> None:
    script = started()
    script.say("coordinator", ev.FileReopened("a.fa", "cpu:0", True, 2, "changed"), epoch=2)
    assert counts(script.frames()) == (1, 0, 2)
    commit(script, "a.fa", epoch=2)
    assert counts(script.frames()) == (2, 0, 4)


def test_a_failure_whose_reopening_is_not_on_record_ends_with_the_commit() -> None:
    script = started()
    script.say("worker-0", ev.FileFailed("cpu:0", "c.fa", 1, "bad", 1.0, True))
    assert counts(script.frames()) == (2, 1, 4)
    commit(script, "c.fa", epoch=2)
    assert counts(script.frames()) == (3, 0, 6)


@given(st.sets(st.integers(0, 40)), st.randoms(use_true_random=False))
def test_whatever_of_the_workers_is_lost_the_commits_count(lost: set[int], chance: random.Random) -> None:
    script = started()
    script.say("worker-0", ev.Heartbeat("cpu:0", "idle", 2, 0, 4, 0, 0))
    events = list(zip(script.envelopes, script.frames(), strict=True))
    kept = [
        frame for at, (envelope, frame) in enumerate(events) if at not in lost or envelope.source == "coordinator"
    ]
    assert counts(chance.sample(kept, len(kept))) == (2, 0, 4)
