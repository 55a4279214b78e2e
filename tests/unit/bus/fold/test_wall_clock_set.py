"""A wall clock that is set while a run is in progress: what is latest is what was done last, not what says so."""

from __future__ import annotations

import random

import pytest

from virnucpro_bus import events as ev
from virnucpro_bus.clock import NANOSECONDS
from virnucpro_bus.fold.host_fold import HostFold
from virnucpro_bus.fold.merge import latest_files, latest_steals
from virnucpro_bus.metrics import FileRecord, StealEvent
from virnucpro_bus.testing import Script

GPU = ev.Device("GPU-a", "A100", 0)
EVENTS = 120


def run_with_a_step(seconds: int) -> Script:
    """A run in the middle of which the wall clock is set forward, or back when negative."""
    script = Script()
    for number in range(EVENTS):
        if number == EVENTS // 2:
            script.clock.wall += seconds * NANOSECONDS
        stolen_ns = script.clock.wall_ns()
        script.say("w", ev.WorkStolen(GPU.key, "GPU-b", f"f{number}", 1, stolen_ns), after_seconds=1)
        script.say("w", ev.FileCompleted(GPU.key, f"f{number}", 1, 100, 1.0))
        script.say("sampler", ev.GpuSampled(GPU, float(number % 100)))
    return script


def folded(script: Script) -> HostFold:
    fold = HostFold("node")
    fold.apply_all(script.envelopes)
    return fold


@pytest.mark.parametrize("seconds", [-600, -3, 600])
def test_the_latest_steals_files_and_times_are_those_of_what_was_done_last(seconds: int) -> None:
    script = run_with_a_step(seconds)
    fold = folded(script)
    assert [steal["file_name"] for steal in fold.steals()] == [f"f{at}" for at in range(EVENTS - 50, EVENTS)]
    assert [file["file"] for file in fold.files()] == [f"f{at}" for at in range(EVENTS - 100, EVENTS)]
    (row,) = [row for row in fold.metrics(fold.last_ns) if row["uuid"] == GPU.key]
    assert row["last_update_time"] == script.clock.wall_ns() / NANOSECONDS
    assert row["throughput"] == 100.0


@pytest.mark.parametrize("seed", range(5))
def test_when_its_events_overtake_each_other_they_end_alike(seed: int) -> None:
    script, luck = run_with_a_step(-600), random.Random(seed)
    whole = folded(script)
    places = {id(each): at + 20 * luck.random() for at, each in enumerate(script.envelopes)}
    script.envelopes.sort(key=lambda each: places[id(each)])
    other = folded(script)
    assert (other.steals(), other.files()) == (whole.steals(), whole.files())
    assert other.metrics(whole.last_ns) == whole.metrics(whole.last_ns)


def test_a_sampler_that_is_restarted_after_the_clock_was_set_back_has_the_last_sample() -> None:
    script = Script()
    script.say("sampler", ev.GpuSampled(GPU, 10.0), epoch=200)
    script.say("sampler", ev.GpuSampled(GPU, 90.0), epoch=100, after_seconds=5)
    utilization = folded(script).utilizations(script.clock.mono_ns())[GPU.key]
    assert (utilization["compute_percent"], utilization["sample_age_seconds"]) == (90.0, 0.0)


def test_a_steal_that_launcher_and_worker_report_counts_once_and_has_the_time_of_the_decision() -> None:
    script = Script()
    decided_ns = script.clock.wall_ns()
    own = script.say("worker-0", ev.WorkStolen(GPU.key, "GPU-b", "a", 1, decided_ns), after_seconds=0.5)
    script.say("worker-1", ev.WorkStolen("GPU-b", GPU.key, "b", 1, script.clock.wall_ns()), after_seconds=1)
    lost = ev.WorkerLost(GPU.key, "worker-0", 1, "was killed", "a", 1, "GPU-b", decided_ns)
    script.say("coordinator", lost, after_seconds=30)
    without_own = [each for each in script.envelopes if each is not own]
    for envelopes in (script.envelopes, script.envelopes[::-1], without_own, [*without_own, own]):
        fold = HostFold("node")
        fold.apply_all(envelopes)
        assert [steal["file_name"] for steal in fold.steals()] == ["a", "b"]
        assert fold.totals()["steals"] == 2


def steal(host: str, seconds: float, file: str) -> StealEvent:
    return StealEvent(timestamp=seconds, source_gpu=0, dest_gpu=1, file_name=file, host=host)


def test_hosts_are_merged_by_time_without_changing_the_order_of_either() -> None:
    one = [steal("a", 10, "1"), steal("a", 20, "3"), steal("a", 5, "4"), steal("a", 30, "6")]
    other = [steal("b", 15, "2"), steal("b", 25, "5")]
    assert [each["file_name"] for each in latest_steals([one, other])] == ["1", "2", "3", "4", "5", "6"]


def test_of_no_lists_nothing_is_the_latest() -> None:
    nothing: list[FileRecord] = []
    assert latest_files([]) == latest_files([nothing]) == nothing
