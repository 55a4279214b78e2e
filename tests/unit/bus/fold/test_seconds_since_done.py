"""How long ago a device finished its last file, by the run's own clock: who looks late is told of a stall, too."""

from __future__ import annotations

from tests.support.snapshots import dumped, load
from virnucpro_bus import events as ev
from virnucpro_bus.clock import ManualClock
from virnucpro_bus.fold.fleet import FleetState
from virnucpro_bus.fold.host_fold import HostFold
from virnucpro_bus.testing import Script

DEVICE = ev.Device("cpu:0", "CPU")


def since_done(script: Script, later_seconds: float = 0.0) -> float | None:
    fold = HostFold("node")
    fold.apply_all(script.envelopes)
    backwards = HostFold("node")
    backwards.apply_all(reversed(script.envelopes))
    now_ns = script.clock.mono_ns() + round(later_seconds * 1e9)
    (row,), (other,) = fold.metrics(now_ns), backwards.metrics(now_ns)
    assert row == other
    return row["seconds_since_done"]


def begun() -> Script:
    script = Script()
    script.say("coordinator", ev.RunStarted("job", "off", (DEVICE,), 4))
    script.say("worker-0", ev.WorkerStarted(DEVICE, 100), after_seconds=2)
    return script


def test_before_the_first_file_the_start_of_the_run_counts() -> None:
    assert since_done(begun(), 398.0) == 400.0


def test_a_completion_and_a_failure_count_alike() -> None:
    script = begun()
    script.say("worker-0", ev.FileCompleted(DEVICE.key, "a.fa", 1, 10, 1.0), after_seconds=10)
    assert since_done(script, 5.0) == 5.0
    script.say("worker-0", ev.FileFailed(DEVICE.key, "b.fa", 1, "bad", 1.0), after_seconds=20)
    assert since_done(script, 7.0) == 7.0


def test_of_a_worker_that_nobody_launched_nothing_is_known_before_its_first_file() -> None:
    script = Script()
    script.say("mine", ev.WorkerStarted(DEVICE, 100))
    assert since_done(script, 1000.0) is None
    script.say("mine", ev.FileCompleted(DEVICE.key, "a.fa", 0, 10, 1.0), after_seconds=1)
    assert since_done(script, 3.0) == 3.0


def test_once_the_run_is_over_it_stands_still() -> None:
    script = begun()
    script.say("worker-0", ev.FileCompleted(DEVICE.key, "a.fa", 1, 10, 1.0), after_seconds=10)
    script.say("coordinator", ev.RunFinished(0, 1, 0), after_seconds=4)
    assert since_done(script, 1000.0) == 4.0


def test_a_fleet_that_takes_over_a_fold_knows_it_too() -> None:
    script = begun()
    script.say("worker-0", ev.FileCompleted(DEVICE.key, "a.fa", 1, 10, 1.0), after_seconds=10)
    clock = ManualClock(script.clock.wall_ns(), script.clock.mono_ns())
    fleet, other = FleetState(clock, "node"), FleetState(clock, "node")
    fleet.feed(script.frames(), clock.mono_ns())
    load(other, dumped(fleet))
    clock.advance(500)
    assert [row["seconds_since_done"] for row in other.get_gpu_metrics()] == [500.0]


def test_times_of_before_the_host_was_started_anew_mean_nothing() -> None:
    script = begun()
    script.say("worker-0", ev.FileCompleted(DEVICE.key, "a.fa", 1, 10, 1.0), after_seconds=1000)
    fold = HostFold("node")
    fold.apply_all(script.envelopes)
    script.clock.mono = 50_000_000_000
    again = script.say("coordinator", ev.RunStarted("job", "off", (DEVICE,), 4), epoch=2)
    fold.apply(again)
    (row,) = fold.metrics(fold.last_ns + 30_000_000_000)
    assert row["seconds_since_done"] == 30.0
