"""Mean and maximum over several samples, at times that the test gives."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.gpu.reading import GpuReading
from monitor.gpu.window import SampleWindow
from virnucpro_bus.clock import NANOSECONDS, ManualClock
from virnucpro_bus.events.envelope import make_envelope
from virnucpro_bus.events.vocabulary import Device, GpuSampled
from virnucpro_bus.fold.fleet import FleetState
from virnucpro_bus.metrics import UNKNOWN_UTILIZATION, GpuUtilization

GPU = GpuReading(Device("GPU-aa11", "A100", 0), 40.0, 1, 4, 55.0, 250.5, energy_millijoules=7_500)
OTHER = GpuReading(Device("GPU-ab22", "A100", 1), 90.0)
MIG = GpuReading(Device("MIG-1", "A100 MIG 1g", None), None, 1, 2, mig_of="GPU-aa11")


class Integer:
    """An integer type of another library, such as numpy's."""

    def __init__(self, value: int) -> None:
        self._value = value

    def __index__(self) -> int:
        return self._value


class Unindexable(Integer):
    """An array of another library, which is no number."""

    def __init__(self) -> None:
        super().__init__(1)

    def __index__(self) -> int:
        raise RuntimeError("only arrays of size 1 are numbers")

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("neither true nor false")

    __hash__ = None  # type: ignore[assignment]


loads = st.none() | st.floats(0, 100)


def window_of(*seconds_and_loads: tuple[float, float | None]) -> SampleWindow:
    """Looks at one GPU, each with its time and what it has measured."""
    window = SampleWindow(window_seconds=2.0)
    for seconds, load in seconds_and_loads:
        window.add(round(seconds * NANOSECONDS), [replace(GPU, compute_percent=load)])
    return window


def figures_at(window: SampleWindow, seconds: float, device_id: int | str = "GPU-aa11") -> GpuUtilization:
    return window.utilization(device_id, round(seconds * NANOSECONDS))


def test_a_sample_older_than_the_window_no_longer_counts() -> None:
    window = window_of((0.0, 100.0), (0.5, 20.0), (1.0, 40.0), (2.4, 60.0))
    assert (figures_at(window, 2.4)["compute_percent"], figures_at(window, 2.4)["compute_max_percent"]) == (
        40.0,
        60.0,
    )


def test_a_sample_without_a_load_does_not_count_as_idle() -> None:
    window = window_of((0.0, 20.0), (0.5, None), (1.0, 40.0))
    assert figures_at(window, 1.0)["compute_percent"] == 30.0


def test_a_figure_unknown_in_the_latest_sample_is_unknown_whatever_was_before() -> None:
    window = window_of((0.0, 20.0), (0.5, None))
    assert (figures_at(window, 0.5)["compute_percent"], figures_at(window, 0.5)["compute_max_percent"]) == (
        None,
        None,
    )
    assert figures_at(window, 0.5)["temperature"] == 55.0


def test_the_latest_sample_counts_until_it_is_three_seconds_old_and_then_only_its_age_is_known() -> None:
    window = window_of((0.0, 20.0))
    assert figures_at(window, 3.0)["compute_percent"] == 20.0
    assert figures_at(window, 3.5) == UNKNOWN_UTILIZATION | {"sample_age_seconds": 3.5}
    assert window.last(3 * NANOSECONDS) == [replace(GPU, compute_percent=20.0)]
    assert window.last(4 * NANOSECONDS) == [GPU.blank()]


def test_stale_figures_are_still_marked_as_simulated() -> None:
    window = SampleWindow(2.0)
    window.add(0, [replace(GPU, simulated=True)])
    assert figures_at(window, 0.0)["simulated"]
    assert figures_at(window, 9.0)["simulated"]


def test_a_lost_gpu_is_still_lost_when_its_sample_is_stale() -> None:
    window = SampleWindow(2.0)
    window.add(0, [replace(GPU, lost=True).blank()])
    assert figures_at(window, 0.0) == UNKNOWN_UTILIZATION | {"sample_age_seconds": 0.0, "lost": True}
    assert figures_at(window, 9.0) == UNKNOWN_UTILIZATION | {"sample_age_seconds": 9.0, "lost": True}


@pytest.mark.parametrize(
    ("device_id", "known"),
    [
        (1, True),
        ("GPU-ab22", True),
        ("GPU-ab", True),
        ("MIG-", True),
        ("GPU-a", False),
        ("GPU-x", False),
        ("G", False),
        ("", False),
        ("1", True),
        ("01", True),
        (Integer(1), True),
        ("cuda:1", False),
        (2, False),
        ("2", False),
        (-1, False),
        ("-1", False),
        ("1" * 5_000, False),
        (1.0, False),
        (True, False),
        (None, False),
        (b"GPU-ab22", False),
        (["GPU-ab22"], False),
        (Unindexable(), False),
    ],
)
def test_a_gpu_is_found_by_index_uuid_or_the_only_uuid_that_begins_so_alike_by_a_monitor_and_a_fleet(
    device_id: Any, known: bool
) -> None:
    window, fleet = SampleWindow(2.0), FleetState(ManualClock())
    window.add(0, [GPU, OTHER, MIG])
    for seq, reading in enumerate((GPU, OTHER, MIG), 1):
        sample = GpuSampled(reading.device, temperature_celsius=50.0)
        fleet.apply(make_envelope(sample, run="", host="h", source="s", epoch=1, seq=seq, wall_ns=1, mono_ns=1))
    for figures in (figures_at(window, 0.0, device_id), fleet.get_gpu_utilization(device_id)):
        assert (figures != UNKNOWN_UTILIZATION) == known


@given(st.lists(st.tuples(st.floats(0.01, 3), loads), min_size=1, max_size=20))
def test_the_mean_is_never_above_the_maximum_and_both_are_of_samples_that_were_taken(
    steps: list[tuple[float, float | None]],
) -> None:
    seconds, taken = 0.0, []
    for pause, load in steps:
        seconds += pause
        taken.append((seconds, load))
    figures = figures_at(window_of(*taken), seconds)
    mean, greatest = figures["compute_percent"], figures["compute_max_percent"]
    assert (mean is None) == (greatest is None) == (taken[-1][1] is None)
    if mean is not None and greatest is not None:
        known = [load for _, load in taken if load is not None]
        assert min(known) <= mean + 1e-9
        assert mean <= greatest + 1e-9
        assert greatest in known
