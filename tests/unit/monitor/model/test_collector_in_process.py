"""Two sources in one process: what one of them lacks the other adds."""

from __future__ import annotations

from dataclasses import replace

from monitor.dashboard import LoadBalancingDashboard
from monitor.gpu.reading import GpuReading
from monitor.model.collector import Collector, Failures
from tests.support.fake_sources import Gpus
from tests.support.gpu_bench import GPU_A, GPU_B, Bench
from virnucpro_bus.clock import ManualClock
from virnucpro_bus.health.rows import Row
from virnucpro_bus.metrics import UtilizationSource
from workers import WorkStealingCoordinator


def rows(gpus: UtilizationSource) -> tuple[Row, ...]:
    """The rows of a coordinator with two GPUs, which does not know the driver."""
    coordinator = WorkStealingCoordinator([GPU_A.device, GPU_B.device], [])
    return Collector(coordinator, gpus, ManualClock(), Failures()).collect("", None).rows


def test_a_gpu_that_the_driver_has_lost_is_lost_whatever_the_coordinator_reports() -> None:
    bench = Bench(GPU_A, GpuReading(GPU_B.device, lost=True))
    (_, first), (lost, figures) = rows(bench.monitor)
    bench.monitor.close()
    assert (first["lost"], first["compute_percent"]) == (False, 40.0)
    assert (lost["state"], figures["lost"], figures["compute_percent"]) == ("lost", True, None)


def test_the_load_is_the_mean_over_the_display_interval() -> None:
    bench = Bench(GPU_A, GPU_B)
    coordinator = WorkStealingCoordinator([GPU_A.device], [])
    sources = Collector(coordinator, bench.monitor, bench.clock, Failures(), interval_seconds=6.0)
    sources.collect("", None)
    bench.backend.answer = [replace(GPU_A, compute_percent=10.0)]
    bench.clock.advance(5)
    ((_, figures),) = sources.collect("", None).rows
    bench.monitor.close()
    assert (figures["compute_percent"], figures["compute_max_percent"]) == (25.0, 40.0)


def test_a_dashboard_asks_for_the_load_of_its_interval() -> None:
    bench = Bench(GPU_A)
    coordinator = WorkStealingCoordinator([GPU_A.device], [])
    LoadBalancingDashboard(coordinator, bench.monitor, update_interval=30.0, log_file=None)
    bench.monitor.get_gpu_utilization("GPU-a")
    bench.backend.answer = [replace(GPU_A, compute_percent=0.0)]
    bench.clock.advance(20)
    figures = bench.monitor.get_gpu_utilization("GPU-a")
    bench.monitor.close()
    assert figures["compute_percent"] == 20.0


def test_a_source_without_lost_gpus_has_no_lost_device() -> None:
    assert [metrics["state"] for metrics, _ in rows(Gpus())] == ["starting", "starting"]
