"""GPUMonitor: which GPUs it finds, their figures, and how often it samples."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from monitor.gpu.monitor import GPUMonitor, get_gpu_utilization
from monitor.gpu.reading import GpuReading
from tests.support.gpu_bench import DEADLINE_SECONDS, GPU_A, GPU_B, MIG, Bench
from virnucpro_bus.events.vocabulary import Device
from virnucpro_bus.metrics import UNKNOWN_UTILIZATION, UtilizationSource


@pytest.mark.parametrize("device_id", [1, "GPU-b"])
def test_a_gpu_is_found_by_index_and_by_uuid(bench: Bench, device_id: int | str) -> None:
    assert bench.monitor.get_gpu_utilization(device_id) == {
        "compute_percent": 90.0,
        "memory_percent": 75.0,
        "temperature": 66.0,
        "power_watts": 300.0,
        "compute_max_percent": 90.0,
        "energy_joules": 7.5,
        "sample_age_seconds": 0.0,
        "simulated": False,
        "lost": False,
        "memory_used_bytes": 3,
        "memory_total_bytes": 4,
    }


def test_a_mig_instance_is_found_by_its_uuid(bench: Bench) -> None:
    known = {"memory_percent": 50.0, "sample_age_seconds": 0.0, "memory_used_bytes": 1, "memory_total_bytes": 2}
    assert bench.monitor.get_gpu_utilization("MIG-1") == UNKNOWN_UTILIZATION | known


@pytest.mark.parametrize("device_id", ["cpu:0", "cuda:0", "GPU-x", "", 7, -1])
def test_an_unknown_device_has_no_figures(bench: Bench, device_id: int | str) -> None:
    assert bench.monitor.get_gpu_utilization(device_id) == UNKNOWN_UTILIZATION


def test_an_answer_for_an_unknown_device_may_be_changed_by_its_owner(bench: Bench) -> None:
    bench.monitor.get_gpu_utilization("cpu:0")["compute_percent"] = 1.0
    assert bench.monitor.get_gpu_utilization("cpu:0")["compute_percent"] is None


def test_a_gpu_that_took_over_an_index_comes_before_the_lost_one() -> None:
    bench = Bench(GPU_A, GpuReading(Device("GPU-old", "A", 0), lost=True))
    assert bench.monitor.get_gpu_utilization(0)["compute_percent"] == 40.0


def test_the_monitor_is_a_utilization_source(bench: Bench) -> None:
    source: UtilizationSource = bench.monitor
    assert source.get_gpu_utilization(0)["temperature"] == 55.0


def test_the_driver_is_asked_once_a_second(bench: Bench) -> None:
    for _ in range(10):
        bench.monitor.readings()
        bench.clock.advance(0.25)
    assert bench.backend.calls == 3


@pytest.mark.parametrize("cache_seconds", [0.0, 0.3, 1.0, 2.0, 3.0])
def test_a_figure_that_is_handed_out_is_at_most_as_old_as_the_cache_allows(cache_seconds: float) -> None:
    bench = Bench(GPU_A, cache_seconds=cache_seconds)
    ages = []
    for _ in range(40):
        figures = bench.monitor.get_gpu_utilization(0)
        ages.append(figures["sample_age_seconds"])
        assert figures["temperature"] == 55.0
        bench.clock.advance(0.2)
    assert max(age for age in ages if age is not None) <= cache_seconds
    bench.monitor.close()


def test_without_a_cache_every_request_queries_the_driver_and_nothing_else_does() -> None:
    bench = Bench(GPU_A, cache_seconds=0.0)
    for _ in range(3):
        bench.monitor.get_gpu_utilization(0)
        bench.until_the_thread_has_ended()
    assert bench.backend.calls == 3


@pytest.mark.parametrize("name", ["cache_seconds", "window_seconds"])
@pytest.mark.parametrize("value", [-1.0, float("nan"), float("inf"), True, "1", None])
def test_a_duration_that_cannot_be_is_refused(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"^{name}: must be from 0 to "):
        GPUMonitor(**{name: value})


def test_a_cache_that_would_only_hold_stale_figures_is_refused() -> None:
    with pytest.raises(ValueError, match="cache_seconds: must be from 0 to 3 seconds, not 5"):
        GPUMonitor(cache_seconds=5)


def test_utilization_is_the_mean_and_the_maximum_of_two_seconds_of_samples(bench: Bench) -> None:
    for load in (100.0, 10.0, 60.0, 50.0):
        bench.backend.answer = [replace(GPU_A, compute_percent=load, power_watts=load)]
        bench.clock.advance(1.0)
        figures = bench.monitor.get_gpu_utilization("GPU-a")
    assert (figures["compute_percent"], figures["compute_max_percent"], figures["power_watts"]) == (
        55.0,
        60.0,
        50.0,
    )


@pytest.mark.parametrize(("every_seconds", "counts"), [(2.0, False), (9.0, False), (10.0, True), (3600.0, True)])
def test_utilization_is_that_of_the_interval_at_which_it_is_shown(
    bench: Bench, every_seconds: float, counts: bool
) -> None:
    bench.monitor.set_display_interval(every_seconds)
    for load in (100.0, *[0.0] * 9):
        bench.backend.answer = [replace(GPU_A, compute_percent=load)]
        bench.clock.advance(1.0)
        figures = bench.monitor.get_gpu_utilization("GPU-a")
    assert (figures["compute_percent"], figures["compute_max_percent"]) == (
        (10.0, 100.0) if counts else (0.0, 0.0)
    )


def test_of_a_long_interval_the_last_ten_minutes_count(bench: Bench) -> None:
    bench.monitor.set_display_interval(3600.0)
    bench.monitor.get_gpu_utilization("GPU-a")
    bench.backend.answer = [replace(GPU_A, compute_percent=0.0)]
    for _ in range(2):
        bench.clock.advance(300)
        figures = bench.monitor.get_gpu_utilization("GPU-a")
    assert figures["compute_max_percent"] == 0.0


def test_the_gpus_are_looked_at_in_the_background_while_figures_are_asked_for(bench: Bench) -> None:
    bench.monitor.get_gpu_utilization(0)
    for samples in (2, 3):
        bench.clock.advance(1.0)
        bench.until_looked_at(samples)
    assert bench.backend.overlaps == 0


def test_readings_alone_start_no_sampling_in_the_background(bench: Bench) -> None:
    bench.monitor.readings()
    bench.until_the_thread_has_ended()
    assert bench.backend.calls == 1


def test_sampling_ends_ten_seconds_after_the_last_request_and_starts_again(bench: Bench) -> None:
    bench.monitor.get_gpu_utilization(0)
    bench.clock.advance(10)
    bench.until_the_thread_has_ended()
    assert bench.monitor.get_gpu_utilization(0)["compute_percent"] == 40.0
    assert bench.backend.calls == 2


def test_sampling_continues_until_the_next_display_however_long_that_is(bench: Bench) -> None:
    bench.monitor.set_display_interval(60.0)
    bench.monitor.get_gpu_utilization(0)
    for samples, seconds in ((2, 30), (3, 39)):
        bench.clock.advance(seconds)
        bench.until_looked_at(samples)
    bench.clock.advance(1)
    bench.until_the_thread_has_ended()


def test_many_threads_share_one_question(bench: Bench) -> None:
    bench.backend.open_gate.clear()
    with ThreadPoolExecutor(8) as pool:
        answers = [pool.submit(bench.monitor.readings, DEADLINE_SECONDS) for _ in range(8)]
        bench.backend.open_gate.set()
    assert [answer.result() for answer in answers] == [[GPU_A, GPU_B, MIG]] * 8
    assert (bench.backend.calls, bench.backend.overlaps) == (1, 0)


def test_the_backend_is_named_once_it_is_open(bench: Bench) -> None:
    assert bench.monitor.backend_name == "scripted"
    assert GPUMonitor().backend_name is None


def test_the_module_function_answers_on_any_machine() -> None:
    assert get_gpu_utilization("cpu:0") == UNKNOWN_UTILIZATION
