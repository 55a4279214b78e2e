"""What the fold of one host makes of the samples of its GPUs."""

from __future__ import annotations

import pytest

from tests.support.two_devices import FAST, SLOW, begun, folded, row
from virnucpro_bus import events as ev
from virnucpro_bus.events.vocabulary import Device
from virnucpro_bus.metrics import UNKNOWN_UTILIZATION
from virnucpro_bus.testing import Script


@pytest.fixture
def run() -> Script:
    """A run of two devices whose workers w0 and w1 have just started."""
    return begun()


def test_a_device_that_the_driver_has_lost_is_lost_whatever_its_worker_says(run: Script) -> None:
    run.say("sampler", ev.GpuSampled(FAST, lost=True))
    run.say("w0", ev.Heartbeat("GPU-a", "idle", 0, 0, 0, 0, 0))
    assert (row(run)["state"], row(run, SLOW)["state"]) == ("lost", "idle")


def test_a_gpu_that_is_gone_is_told_from_one_whose_worker_is_gone_however_long_ago_it_was(run: Script) -> None:
    run.say("sampler", ev.GpuSampled(FAST, lost=True))
    run.say("sampler", ev.GpuSampled(SLOW, 5.0))
    run.say("coordinator", ev.WorkerLost("GPU-b", "w1", 1, "was killed"))
    fold, now_ns = folded(run), run.clock.mono_ns() + 60 * 10**9
    assert [each["state"] for each in fold.metrics(now_ns)] == ["lost", "lost"]
    each = [fold.utilizations(now_ns).get(key) for key in ("GPU-a", "GPU-b")]
    assert [told is not None and told["lost"] for told in each] == [True, False]


def test_a_sample_is_known_by_uuid_and_index_for_three_seconds(run: Script) -> None:
    run.say("sampler", ev.GpuSampled(FAST, 50.0, 25.0, 1, 4, 60.0, None))
    fold, now_ns = folded(run), run.clock.mono_ns()
    known = {"compute_percent": 50.0, "memory_percent": 25.0, "temperature": 60.0, "power_watts": None}
    more = {"compute_max_percent": 50.0, "energy_joules": None, "simulated": False, "lost": False}
    more |= {"memory_used_bytes": 1, "memory_total_bytes": 4}
    assert fold.utilizations(now_ns).get("GPU-a") == {**known, **more, "sample_age_seconds": 0.0}
    assert fold.utilizations(now_ns + 3 * 10**9).get(0) == {**known, **more, "sample_age_seconds": 3.0}
    stale = fold.utilizations(now_ns + 3 * 10**9 + 10**8).get(0)
    assert stale == {**UNKNOWN_UTILIZATION, "sample_age_seconds": 3.1}
    assert fold.utilizations(now_ns).get("GPU-b") is None


def test_a_gpu_that_a_run_does_not_use_has_no_row_of_its_own(run: Script) -> None:
    run.say("sampler", ev.GpuSampled(Device("GPU-c", "T4", 2), 1.0))
    assert len(folded(run).metrics(run.clock.mono_ns())) == 2


def test_without_a_run_every_sampled_gpu_has_a_row() -> None:
    script = Script()
    script.say("sampler", ev.GpuSampled(FAST, 1.0))
    assert row(script)["state"] == "unused"
    assert folded(script).totals()["files_total"] is None


def test_when_a_host_is_started_anew_samples_of_before_belong_to_the_files_of_before() -> None:
    script = Script()
    script.say("coordinator", ev.RunStarted("job", "off", (FAST,), 1))
    began_ns = script.clock.mono
    for _ in range(8):
        script.say("sampler", ev.GpuSampled(FAST, 90.0), after_seconds=0.5)
    script.say("w0", ev.FileCompleted("GPU-a", "a.fa", 1, 1, 2.0))
    script.clock.advance(3600)
    script.clock.mono = began_ns
    script.say("coordinator", ev.RunStarted("job", "off", (FAST,), 1), epoch=2)
    script.say("w0", ev.FileCompleted("GPU-a", "b.fa", 1, 1, 2.0), epoch=2, after_seconds=3)
    fold = folded(script)
    assert [(file["file"], file["compute_percent"]) for file in fold.files()] == [("a.fa", 90.0), ("b.fa", None)]
    assert fold.utilizations(fold.last_ns)["GPU-a"]["compute_percent"] is None
