"""Figures of a GPU as counters, which know no "unknown"."""

from __future__ import annotations

from virnucpro_bus.clock import NANOSECONDS
from virnucpro_bus.events.vocabulary import Device, GpuSampled
from virnucpro_bus.testing import Script
from virnucpro_bus.timeline.sample_columns import SampleColumns
from virnucpro_bus.traces.counters import counters_of, unknown_slices

GPU = Device("GPU-a", "A100", 0)


def sampled(*samples: tuple[float, GpuSampled]) -> SampleColumns:
    script, columns = Script(), SampleColumns()
    script.clock.mono = 0
    for seconds, sample in samples:
        script.clock.advance(seconds - script.clock.mono / NANOSECONDS)
        script.say("sampler", sample)
    columns.add(script.envelopes)
    columns.settle(0)
    return columns


def load(percent: float | None) -> GpuSampled:
    return GpuSampled(GPU, percent)


def values(columns: SampleColumns) -> dict[str, list[tuple[float, float]]]:
    return {
        f"{each.name} {each.unit}": [(at_ns / NANOSECONDS, value) for at_ns, value in each.values]
        for each in counters_of(columns, "GPU 0")
    }


def unknown(columns: SampleColumns, end: float) -> list[tuple[float, float, str]]:
    return [
        (each.start_ns / NANOSECONDS, each.end_ns / NANOSECONDS, each.name)
        for each in unknown_slices(columns, round(end * NANOSECONDS))
    ]


def test_each_figure_that_the_driver_reports_has_a_counter() -> None:
    columns = sampled((1, GpuSampled(GPU, 12.34, 25.0, 7, 28, -1.0, 71.3)))
    assert values(columns) == {
        "compute %": [(1, 12.34)],
        "memory bytes": [(1, 7)],
        "power W": [(1, 71.3)],
        "temperature °C": [(1, -1.0)],
    }


def test_a_value_is_written_when_it_has_changed() -> None:
    columns = sampled(*((at, load(percent)) for at, percent in enumerate([0.0, 5.0, 5.0, 5.0, 0.0])))
    assert values(columns) == {"compute %": [(0, 0), (1, 5), (4, 0)]}


def test_an_unknown_value_is_never_written_and_its_time_is_marked() -> None:
    columns = sampled(*((at, load(percent)) for at, percent in enumerate([5.0, None, None, 0.0, 7.0])))
    assert values(columns) == {"compute %": [(0, 5), (3, 0), (4, 7)]}
    assert unknown(columns, end=5) == [(1, 3, "unknown: compute")]


def test_what_is_unknown_of_several_figures_is_marked_together() -> None:
    samples = [GpuSampled(GPU, 5.0, power_watts=70.0), GpuSampled(GPU), GpuSampled(GPU, power_watts=70.0)]
    columns = sampled(*enumerate(samples))
    assert unknown(columns, end=3) == [(1, 2, "unknown: compute, power"), (2, 3, "unknown: compute")]


def test_a_gpu_that_falls_silent_is_marked_as_not_sampled_from_a_second_after_its_last_sample() -> None:
    columns = sampled((0, load(5.0)), (3, load(6.0)), (10, load(7.0)))
    assert unknown(columns, end=60) == [(4, 10, "not sampled"), (11, 60, "not sampled")]


def test_a_figure_that_is_unknown_already_is_marked_without_a_gap_when_the_gpu_falls_silent() -> None:
    columns = sampled((0, load(5.0)), (1, load(None)), (10, load(7.0)))
    assert unknown(columns, end=11) == [(1, 2, "unknown: compute"), (2, 10, "not sampled")]


def test_a_figure_that_no_sample_contains_has_neither_a_counter_nor_a_mark() -> None:
    columns = sampled((0, load(None)), (9, load(None)))
    assert values(columns) == {}
    assert unknown(columns, end=60) == []
