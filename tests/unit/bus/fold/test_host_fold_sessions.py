"""A run that is resumed: its sessions are one run for the fold, and what waits again counts once."""

from __future__ import annotations

import random

import pytest

from virnucpro_bus import events as ev
from virnucpro_bus.clock import NANOSECONDS
from virnucpro_bus.fold.fold import Fold
from virnucpro_bus.fold.host_fold import HostFold
from virnucpro_bus.snapshot.format import pack, unpack
from virnucpro_bus.testing import Script

GPU = ev.Device("GPU-a", "A100", 0)


def run_of_two_sessions() -> Script:
    """Of four files one is done, one fails, one ends its workers, and one is not reached; then it goes on."""
    script = Script()

    def coordinator(event: ev.Fact, epoch: int) -> None:
        script.say("coordinator", event, after_seconds=1, epoch=epoch)

    def worker(event: ev.Fact, epoch: int) -> None:
        script.say("worker-0", event, after_seconds=1, epoch=epoch)

    coordinator(ev.RunStarted("job", "off", (GPU,), 4), 100)
    worker(ev.WorkerStarted(GPU, 1), 1)
    worker(ev.FileCompleted(GPU.key, "a.fa", 1, 70, 1.0), 1)
    worker(ev.FileFailed(GPU.key, "b.fa", 1, "bad", 1.0), 1)
    coordinator(ev.FileQuarantined("c.fa", 3, "it ended 3 workers"), 100)
    worker(ev.FileStarted(GPU.key, "d.fa", 1), 1)
    coordinator(ev.RunFinished(130, 1, 2), 100)
    coordinator(ev.RunStarted("job", "off", (GPU,), 4), 200)
    coordinator(ev.WorkerLost(GPU.key, "worker-0", 1, "the launcher has ended", "d.fa", 1), 200)
    coordinator(ev.FileReopened("a.fa", GPU.key, True, 70, "the input has changed"), 200)
    coordinator(ev.FileReopened("b.fa", GPU.key, False, 0, "tried again"), 200)
    coordinator(ev.FileReopened("c.fa", "", False, 0, "tried again"), 200)
    worker(ev.WorkerStarted(GPU, 2), 2)
    return script


def go_on_to_the_end(script: Script) -> Script:
    for name, sequences in (("a.fa", 75), ("c.fa", 5), ("d.fa", 3)):
        script.say("worker-0", ev.FileCompleted(GPU.key, name, 1, sequences, 1.0), after_seconds=1, epoch=2)
    script.say("worker-0", ev.FileFailed(GPU.key, "b.fa", 1, "still bad", 1.0), after_seconds=1, epoch=2)
    script.say("coordinator", ev.RunFinished(3, 3, 1), after_seconds=1, epoch=200)
    return script


def folded(script: Script) -> HostFold:
    fold = HostFold(script.envelopes[0].host)
    fold.apply_all(script.envelopes)
    return fold


def said(fold: HostFold) -> dict[str, object]:
    now_ns = fold.last_ns
    return {
        "totals": fold.totals(),
        "rows": fold.metrics(now_ns),
        "failures": fold.failed_files(),
        "finished": fold.finished,
        "elapsed": fold.elapsed_seconds(now_ns),
    }


def test_a_run_that_goes_on_is_not_over_and_what_waits_again_does_not_count() -> None:
    fold = folded(run_of_two_sessions())
    totals = fold.totals()
    assert (totals["files_completed"], totals["files_failed"], totals["sequences"]) == (0, 0, 0)
    assert (fold.finished, fold.failed_files()) == (None, {})
    (row,) = fold.metrics(fold.last_ns)
    assert (row["files_completed"], row["files_failed"], row["sequences"], row["state"]) == (0, 0, 0, "idle")
    assert row["current_file"] is None


def test_a_device_that_joined_an_earlier_session_is_not_of_the_last_one() -> None:
    script, late = run_of_two_sessions(), ev.Device("GPU-b", "A100", 1)
    script.say("coordinator", ev.DeviceJoined(late), epoch=100)
    assert [each.key for each in folded(script).work(script.clock.mono_ns()).devices] == [GPU.key]
    script.say("coordinator", ev.DeviceJoined(late), epoch=200)
    assert [each.key for each in folded(script).work(script.clock.mono_ns()).devices] == [GPU.key, late.key]
    script.say("coordinator", ev.RunStarted("job", "off", (GPU,), 4), epoch=300)
    assert [each.key for each in folded(script).work(script.clock.mono_ns()).devices] == [GPU.key]


def test_at_the_end_each_file_counts_once() -> None:
    fold = folded(go_on_to_the_end(run_of_two_sessions()))
    totals = fold.totals()
    assert (totals["files_completed"], totals["files_failed"], totals["files_total"]) == (3, 1, 4)
    assert totals["sequences"] == 83
    assert fold.failed_files().keys() == {"b.fa"}
    assert fold.finished == ev.RunFinished(3, 3, 1)


def test_time_is_that_of_the_last_session() -> None:
    fold = folded(run_of_two_sessions())
    assert fold.elapsed_seconds(fold.last_ns) == 5.0


def resume(script: Script, *, after_seconds: float, uptime_seconds: float | None = None, epoch: int = 300) -> None:
    """The run is resumed after a pause; the machine has been up for so long since it restarted, if it did."""
    script.clock.advance(after_seconds)
    if uptime_seconds is not None:
        script.clock.mono = round(uptime_seconds * NANOSECONDS)
    script.say("coordinator", ev.RunStarted("job", "off", (GPU,), 4), epoch=epoch)
    script.say("worker-0", ev.WorkerStarted(GPU, 3), epoch=epoch)


@pytest.mark.parametrize("uptime_seconds", [None, 5.0, 1_000.0, 5_000.0])
def test_after_a_pause_the_rate_is_that_of_the_new_session(uptime_seconds: float | None) -> None:
    script = run_of_two_sessions()
    resume(script, after_seconds=40_000, uptime_seconds=uptime_seconds)
    fold = folded(script)
    assert fold.metrics(fold.last_ns)[0]["throughput"] is None
    for name in ("a.fa", "b.fa"):
        script.say("worker-0", ev.FileCompleted(GPU.key, name, 1, 200, 2.0), epoch=300, after_seconds=2)
    fold = folded(script)
    (row,) = fold.metrics(fold.last_ns)
    assert (row["throughput"], row["seconds_since_done"], row["state"]) == (100.0, 0.0, "idle")
    assert fold.elapsed_seconds(fold.last_ns) == 4.0


@pytest.mark.parametrize("uptime_seconds", [5.0, 1_000.0, 5_000.0])
def test_over_a_restart_of_the_machine_files_and_steals_stay_in_order(uptime_seconds: float) -> None:
    script = Script()
    script.say("coordinator", ev.RunStarted("job", "cost", (GPU,), 4), epoch=100)
    for epoch in (100, 200, 300):
        if epoch > 100:
            resume(script, after_seconds=40_000, uptime_seconds=uptime_seconds, epoch=epoch)
        for name in ("a", "b"):
            stolen = ev.WorkStolen(GPU.key, "GPU-b", f"{name}{epoch}", 1, script.clock.wall_ns())
            script.say("worker-0", stolen, epoch=epoch, after_seconds=1)
            script.say("worker-0", ev.FileCompleted(GPU.key, f"{name}{epoch}", 1, 1, 1.0), epoch=epoch)
    fold = folded(script)
    names = [f"{name}{epoch}" for epoch in (100, 200, 300) for name in ("a", "b")]
    assert [file["file"] for file in fold.files()] == names
    assert [steal["file_name"] for steal in fold.steals()] == names
    assert fold.files()[-1]["ended"] == script.clock.wall_ns() / NANOSECONDS


@pytest.mark.parametrize("seed", range(30))
def test_in_whatever_order_the_sessions_come_in_they_end_alike(seed: int) -> None:
    script = go_on_to_the_end(run_of_two_sessions())
    expected = said(folded(script))
    random.Random(seed).shuffle(script.envelopes)
    assert said(folded(script)) == expected


def test_a_snapshot_holds_the_sessions() -> None:
    fold = folded(run_of_two_sessions())
    (read,) = unpack(pack(Fold({}, [fold]))).hosts
    assert said(read) == said(fold)


@pytest.mark.parametrize("seed", range(5))
def test_a_session_whose_announcement_was_lost_begins_with_its_plan(seed: int) -> None:
    script = run_of_two_sessions()
    resume(script, after_seconds=100)
    lost = script.envelopes[-2]
    for key in ("GPU-a", "GPU-b"):
        script.say("coordinator", ev.FilesAssigned(key, ()), epoch=300, after_seconds=1)
    script.say("coordinator", ev.RunFinished(130, 0, 0), epoch=300, after_seconds=5)
    script.say("coordinator", ev.RunFinished(0, 0, 0), epoch=300, after_seconds=5)
    script.envelopes.remove(lost)
    random.Random(seed).shuffle(script.envelopes)
    fold = folded(script)
    assert fold.elapsed_seconds(script.clock.mono_ns()) == 11.0
    assert (fold.run is not None, fold.finished) == (True, ev.RunFinished(0, 0, 0))
