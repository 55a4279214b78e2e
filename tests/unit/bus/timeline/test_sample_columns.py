"""The samples of one GPU in columns."""

from __future__ import annotations

from itertools import accumulate
from math import isnan

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from virnucpro_bus.clock import NANOSECONDS
from virnucpro_bus.events.envelope import Envelope, make_envelope
from virnucpro_bus.events.vocabulary import Device, GpuSampled
from virnucpro_bus.samples.gpu_figures import UNKNOWN, bucket_of, figures_between
from virnucpro_bus.timeline.sample_columns import SampleColumns

GPU = Device("GPU-a")
samples = st.builds(
    GpuSampled,
    st.just(GPU),
    st.none() | st.floats(0, 100),
    memory_used_bytes=st.none() | st.integers(0, 2**40),
    energy_millijoules=st.none() | st.integers(0, 2**50),
)


def sent(at_ns: int, sample: GpuSampled) -> Envelope:
    return make_envelope(
        sample, run="", host="node", source="sampler", epoch=1, seq=1, wall_ns=at_ns, mono_ns=at_ns
    )


@given(st.lists(st.tuples(st.integers(0, 2**50), samples), unique_by=lambda each: each[0]), st.integers(0, 2**55))
def test_columns_read_like_buckets_of_one_sample_each_in_the_order_of_time(
    taken: list[tuple[int, GpuSampled]], offset_ns: int
) -> None:
    columns = SampleColumns()
    for part in (taken[:2], taken[2:]):
        if part:
            columns.add([sent(at_ns, sample) for at_ns, sample in part])
    columns.settle(offset_ns)
    expected = [bucket_of(at_ns + offset_ns, sample) for at_ns, sample in sorted(taken, key=lambda each: each[0])]
    assert [columns[at] for at in range(len(columns))] == expected


seconds = st.sampled_from([0.0, 0.4, 0.5, 0.6, 0.9, 2.5, 9.0])


@settings(max_examples=200)
@given(st.lists(st.tuples(seconds, st.booleans()), min_size=3, max_size=12), st.integers(0, 12), seconds, seconds)
def test_what_is_dropped_before_a_time_changes_no_figure_of_later_files(
    steps: list[tuple[float, bool]], since: int, later: float, took: float
) -> None:
    ends = list(accumulate(int(step * NANOSECONDS) for step, _ in steps))
    taken = [
        sent(at_ns, GpuSampled(GPU, 9.0 * number if known else None, None, number, energy_millijoules=number**2))
        for number, (at_ns, (_, known)) in enumerate(zip(ends, steps, strict=True))
    ]
    whole, cut = SampleColumns(), SampleColumns()
    for columns in (whole, cut):
        columns.add(taken[::-1])
        columns.settle(0)
    since_ns = [0, *ends][min(since, len(ends))]
    cut.drop_before(since_ns)
    start_ns = since_ns + int(later * NANOSECONDS)
    span_ns = start_ns, start_ns + int(took * NANOSECONDS)
    assert figures_between(cut, 1, *span_ns) == figures_between(whole, 1, *span_ns)
    assert len(cut) <= 1 + sum(at_ns >= since_ns - 3 * NANOSECONDS for at_ns in ends)


def test_a_figure_that_the_driver_does_not_report_is_unknown_and_not_zero() -> None:
    columns = SampleColumns()
    columns.add([sent(0, GpuSampled(GPU))])
    columns.settle(0)
    counts = columns.memory_bytes, columns.memory_total_bytes, columns.energy_millijoules
    assert [column[0] for column in counts] == [UNKNOWN] * 3
    assert all(isnan(column[0]) for column in (columns.compute_percent, columns.watts, columns.celsius))


@pytest.mark.parametrize("simulated", [True, False])
def test_one_simulated_sample_makes_all_simulated(simulated: bool) -> None:
    columns = SampleColumns()
    columns.add([sent(0, GpuSampled(GPU, 1.0)), sent(1, GpuSampled(GPU, 1.0, simulated=simulated))])
    columns.settle(0)
    assert columns.simulated is simulated
