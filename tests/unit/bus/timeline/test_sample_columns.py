"""The samples of one GPU in columns."""

from __future__ import annotations

from math import isnan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virnucpro_bus.events.vocabulary import Device, GpuSampled
from virnucpro_bus.samples.gpu_figures import UNKNOWN, bucket_of
from virnucpro_bus.timeline.sample_columns import SAMPLES_AT_ONCE, SampleColumns

GPU = Device("GPU-a")
samples = st.builds(
    GpuSampled,
    st.just(GPU),
    st.none() | st.floats(0, 100),
    memory_used_bytes=st.none() | st.integers(0, 2**40),
    energy_millijoules=st.none() | st.integers(0, 2**50),
)


@given(st.lists(st.tuples(st.integers(0, 2**50), samples), unique_by=lambda each: each[0]), st.integers(0, 2**55))
def test_columns_read_like_buckets_of_one_sample_each_in_the_order_of_time(
    taken: list[tuple[int, GpuSampled]], offset_ns: int
) -> None:
    columns = SampleColumns()
    for at_ns, sample in taken:
        columns.add(at_ns, sample)
    columns.settle(offset_ns)
    expected = [bucket_of(at_ns + offset_ns, sample) for at_ns, sample in sorted(taken, key=lambda each: each[0])]
    assert [columns[at] for at in range(len(columns))] == expected


def test_more_samples_than_are_stored_at_once_are_all_kept() -> None:
    columns = SampleColumns()
    for at_ns in range(2 * SAMPLES_AT_ONCE + 1):
        columns.add(at_ns, GpuSampled(GPU, 1.0))
    columns.settle(0)
    assert list(columns.times) == list(range(2 * SAMPLES_AT_ONCE + 1))


def test_a_figure_that_the_driver_does_not_report_is_unknown_and_not_zero() -> None:
    columns = SampleColumns()
    columns.add(0, GpuSampled(GPU))
    columns.settle(0)
    assert [columns.compute_hundredths[0], columns.memory_bytes[0], columns.energy_millijoules[0]] == [UNKNOWN] * 3
    assert columns.memory_total_bytes[0] == UNKNOWN
    assert isnan(columns.watts[0])
    assert isnan(columns.celsius[0])


@pytest.mark.parametrize("simulated", [True, False])
def test_one_simulated_sample_makes_all_simulated(simulated: bool) -> None:
    columns = SampleColumns()
    columns.add(0, GpuSampled(GPU, 1.0))
    columns.add(1, GpuSampled(GPU, 1.0, simulated=simulated))
    columns.settle(0)
    assert columns.simulated is simulated
