"""What is on screen of workers that share a GPU, and of one that uses several."""

from __future__ import annotations

import pytest

from monitor.model.collector import Collector, Failures
from monitor.model.selection import select
from monitor.model.view_model import ViewModel, device_key, each_gpu_once
from monitor.view.formatting import describe_devices
from tests.support.layouts import laid_out
from tests.support.pictures import assert_golden, plain
from virnucpro_bus.clock import ManualClock
from virnucpro_bus.fold.fleet import FleetState
from virnucpro_bus.fold.fleet_group import FleetGroup
from virnucpro_bus.health.rows import Row
from virnucpro_bus.metrics import UNKNOWN_UTILIZATION, GpuUtilization

pytestmark = pytest.mark.usefixtures("utc")


class AskedByGpu:
    """A source that knows its GPUs by UUID alone, as GPUMonitor does."""

    def get_gpu_utilization(self, device_id: int | str) -> GpuUtilization:
        powers = {"GPU-a": 100.0, "GPU-b": 20.0, "GPU-c": 30.0}
        return {**UNKNOWN_UTILIZATION, "power_watts": powers.get(str(device_id))}


def fleet() -> FleetState:
    state = FleetState(ManualClock())
    state.feed(laid_out().frames())
    return state


def model(gpus: object = None) -> ViewModel:
    state = fleet()
    return Collector(state, gpus or state, ManualClock(), Failures()).collect("", None)  # type: ignore[arg-type]


def test_the_total_counts_each_gpu_once() -> None:
    text = plain(model(), 160, 24)
    lines = [line.split() for line in text.splitlines()]
    [total] = [line for line in lines if line[:1] == ["TOTAL"]]
    watts = [line[-1] for line in lines if "GPU" in line and line[-1].endswith("W")]
    assert (watts, total[-1], "50%" in total) == (["100W", "100W", "200W"], "300W", True)


def test_workers_are_labelled_with_their_gpus_and_counted_beside_them() -> None:
    assert describe_devices(model().rows) == "3 x A100"
    assert describe_devices(model().rows[:2]) == "1 x A100, 2 workers"
    assert_golden("worker-layouts-120x24", plain(model(), 120, 24))


def test_a_source_that_knows_gpus_alone_is_asked_for_each_gpu_of_a_device() -> None:
    assert [figures["power_watts"] for _, figures in model(AskedByGpu()).rows] == [100.0, 100.0, 50.0]


def test_each_worker_is_a_device_of_its_own_that_is_found_by_its_gpu() -> None:
    rows = model().rows
    assert len({device_key(metrics) for metrics, _ in rows}) == 3
    found = {name: len(select(rows, [name])) for name in ("0#1", "GPU-a", "GPU-a#1", "GPU 1+2", "GPU-c")}
    assert found == {"0#1": 1, "GPU-a": 2, "GPU-a#1": 1, "GPU 1+2": 1, "GPU-c": 1}


def test_a_gpu_is_the_same_in_two_runs_only_by_its_uuid() -> None:
    group = FleetGroup({"one": fleet(), "other": fleet()})
    rows = Collector(group, group, ManualClock(), Failures()).collect("", None).rows
    assert len(rows) == 6
    assert len(each_gpu_once(rows)) == 2
    renamed: list[Row] = [
        ({**metrics, "gpus": [f"sim:{gpu}" for gpu in metrics["gpus"] or ()]}, figures)
        for metrics, figures in rows
    ]
    assert len(each_gpu_once(renamed)) == 4
