"""The samples of a GPU, kept in buckets: true for what was, the same in any order, and never more than so many."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virnucpro_bus.clock import NANOSECONDS
from virnucpro_bus.events.vocabulary import Device, GpuSampled
from virnucpro_bus.samples.gpu_figures import (
    UNKNOWN,
    GpuFigures,
    PlainBucket,
    SampleBucket,
    bucket_of,
    figures_between,
)
from virnucpro_bus.samples.gpu_history import LEVELS, GpuHistory

GPU = Device("GPU-a")
HALF_NS = NANOSECONDS // 2
START_NS = 10_000 * NANOSECONDS


def sample_at(
    seconds: float, percent: float | None = 50.0, memory: int | None = None, joules: float | None = None
) -> PlainBucket:
    """One sample, so many seconds after the start."""
    energy = None if joules is None else round(joules * 1000)
    sample = GpuSampled(GPU, percent, memory_used_bytes=memory, energy_millijoules=energy)
    return bucket_of(START_NS + round(seconds * NANOSECONDS), sample)


def history(samples: Iterable[PlainBucket]) -> GpuHistory:
    made = GpuHistory()
    for each in samples:
        made.add(each)
    return made


def during(samples: Iterable[PlainBucket], start_seconds: float, end_seconds: float) -> GpuFigures:
    start_ns, end_ns = (START_NS + round(seconds * NANOSECONDS) for seconds in (start_seconds, end_seconds))
    return history(samples).during(start_ns, end_ns)


def singly(samples: list[PlainBucket], start_seconds: float, end_seconds: float) -> GpuFigures:
    start_ns, end_ns = (START_NS + round(seconds * NANOSECONDS) for seconds in (start_seconds, end_seconds))
    return figures_between(samples, 1, start_ns, end_ns)


def steady(seconds: int, watts: float = 100.0, from_joules: float = 7.0) -> list[PlainBucket]:
    """A sample each half second, of a GPU that is busier by 1 % each second."""
    moments = [at / 2 for at in range(2 * seconds)]
    return [sample_at(at, at, 1000 + int(at), from_joules + watts * at) for at in moments]


# What is told of a file.


def test_a_file_has_the_mean_the_peak_and_the_energy_of_its_time() -> None:
    told = during(steady(30), 10, 20)
    assert told.compute_percent == pytest.approx(15, abs=0.3)
    assert told.memory_peak_bytes == 1020
    assert told.energy_joules == pytest.approx(1000)


def test_single_samples_are_counted_exactly() -> None:
    assert singly(steady(30), 10, 20) == GpuFigures(15.0, 1020, 1000.0)


def test_energy_between_two_samples_is_spent_evenly() -> None:
    assert singly(steady(30), 10.2, 10.3).energy_joules == pytest.approx(10)


def test_files_one_after_the_other_use_together_what_the_counter_tells() -> None:
    samples = steady(30)
    ends = [3.1, 3.4, 8.0, 20.7]
    parts = [during(samples, start, end).energy_joules or 0.0 for start, end in pairwise(ends)]
    assert sum(parts) == pytest.approx(100 * (20.7 - 3.1))


def test_a_file_between_two_samples_has_the_figures_of_those_around_it() -> None:
    samples = [sample_at(0.4, 20, 5), sample_at(2.4, 40, 7)]
    assert singly(samples, 1.3, 1.5) == GpuFigures(30.0, 7, None)
    assert during(samples, 1.3, 1.5) == GpuFigures(30.0, 7, None)


def test_of_the_samples_around_a_short_file_only_the_nearest_count() -> None:
    samples = [sample_at(0.5, 100), sample_at(1, 10), sample_at(1.5, 20), sample_at(2, 100)]
    assert singly(samples, 1.1, 1.3).compute_percent == 14.0
    assert singly(samples, 2.2, 2.3).compute_percent == 100.0


def test_far_from_any_sample_nothing_is_known() -> None:
    assert during(steady(5), 8, 9) == during([], 0, 1) == GpuFigures()


@pytest.mark.parametrize(("start", "end"), [(1, 5), (1.9, 5), (5, 10.4), (1.9, 10.4), (1.2, 1.9), (9.6, 10.4)])
def test_up_to_a_second_before_the_first_and_after_the_last_sample_energy_is_spent_as_beside_it(
    start: float, end: float
) -> None:
    samples = steady(10)[4:]
    assert singly(samples, start, end).energy_joules == pytest.approx(100 * (end - start))
    assert during(samples, start, end).energy_joules == pytest.approx(100 * (end - start))


def test_energy_is_unknown_longer_before_the_first_and_after_the_last_sample() -> None:
    samples = steady(10)[4:]
    for start, end in ((0.9, 5), (5, 10.6), (0.5, 0.9), (0.5, 1.5)):
        assert singly(samples, start, end).energy_joules is None
        assert during(samples, start, end).energy_joules is None
    assert during(samples, 0.9, 5).compute_percent is not None


def test_one_sample_alone_gives_no_energy() -> None:
    assert singly(steady(1)[:1], -0.2, 0.2).energy_joules is None
    assert singly([], 1, 2).energy_joules is None


@pytest.mark.parametrize("seconds", [10, 60, 600, 6000])
def test_the_energy_of_a_file_that_began_just_before_the_first_sample_is_known_however_long_it_took(
    seconds: int,
) -> None:
    samples = [sample_at(0.1 + at / 2, 50, 2, 7 + 100 * at / 2) for at in range(2 * seconds + 4)]
    assert during(samples, 0, seconds).energy_joules == pytest.approx(100 * seconds, rel=0.01)


def test_two_samples_at_one_moment_give_no_slope() -> None:
    assert singly([sample_at(1, joules=5), sample_at(1, joules=5)], 0.5, 1).energy_joules == 0.0


def test_energy_is_unknown_when_the_counter_goes_back() -> None:
    buckets = [SampleBucket(*each) for each in steady(20)[20:]]
    again = [each._replace(energy_millijoules=each.energy_millijoules - 500_000) for each in buckets]
    samples = [*steady(20)[:20], *again]
    assert during(samples, 5, 15).energy_joules is None
    assert during(samples, 2, 8).energy_joules == pytest.approx(600)
    assert during(samples, 12, 18).energy_joules == pytest.approx(600)


def test_energy_is_unknown_where_the_counter_is_not_told() -> None:
    samples = steady(20)
    samples[20] = sample_at(10, 10, 1010, None)
    assert during(samples, 5, 15).energy_joules is None
    assert during(samples, 11, 15).energy_joules == pytest.approx(400)


def test_energy_is_unknown_after_a_long_silence() -> None:
    samples = [each for each in steady(40) if not START_NS + 10e9 < SampleBucket(*each).last_ns < START_NS + 20e9]
    assert during(samples, 14, 25).energy_joules is None
    assert during(samples, 5, 25).energy_joules == pytest.approx(2000)


def test_samples_that_report_nothing_leave_each_figure_unknown_by_itself() -> None:
    assert during([sample_at(at / 2, None, None, at) for at in range(20)], 2, 4) == GpuFigures(None, None, 4.0)
    assert during([sample_at(at / 2, 10, None, None) for at in range(20)], 2, 4) == GpuFigures(10.0, None, None)


@pytest.mark.parametrize("ago_seconds", [20, 100, 1_000, 9_000, 40_000])
def test_a_file_of_long_ago_is_still_told_if_more_coarsely(ago_seconds: int) -> None:
    """Busy for as long as it was ago, idle before and after that."""
    samples, step = [], max(1, ago_seconds // 100)
    for at in range(0, 3 * ago_seconds, step):
        busy = ago_seconds <= at < 2 * ago_seconds
        samples.append(sample_at(at, 90.0 if busy else 0.0, 2, at))
    told = during(samples, ago_seconds, 2 * ago_seconds)
    assert told.compute_percent == pytest.approx(90, rel=0.15)
    assert told.memory_peak_bytes == 2


def test_what_began_longer_than_a_day_ago_is_not_told_by_a_part_of_it() -> None:
    samples = [sample_at(60 * at, 50, 2, at) for at in range(3 * 1440)]
    assert during(samples, 60, 3 * 86_400 - 60) == GpuFigures()
    assert during(samples, 2 * 86_400 + 60, 3 * 86_400 - 120).compute_percent == 50.0


# The load.


def test_the_load_is_that_of_the_interval_before_the_last_sample() -> None:
    samples = history(steady(30))
    mean, greatest = samples.load(2 * NANOSECONDS)
    assert mean == pytest.approx(28.75)
    assert greatest == 29.5
    assert samples.load(1) == (29.5, 29.5)
    mean, greatest = samples.load(3600 * NANOSECONDS)
    assert mean == pytest.approx(14.75)
    assert greatest == 29.5


def test_without_any_sample_the_load_is_unknown() -> None:
    assert GpuHistory().load(NANOSECONDS) == history([sample_at(1, None)]).load(NANOSECONDS) == (None, None)


# In any order, and of a fixed size.


@st.composite
def samples_of_a_day(draw: st.DrawFn) -> list[PlainBucket]:
    moments = draw(st.lists(st.one_of(st.integers(0, 40), st.integers(0, 200_000)), min_size=1, max_size=60))
    return [
        sample_at(
            at / 2,
            draw(st.none() | st.floats(0, 100)),
            draw(st.none() | st.integers(0, 2**40)),
            draw(st.none() | st.integers(0, 1000)),
        )
        for at in moments
    ]


@given(data=st.data(), samples=samples_of_a_day())
def test_any_order_ends_in_the_same_buckets(data: st.DataObject, samples: list[PlainBucket]) -> None:
    in_order, shuffled = history(samples), GpuHistory()
    for each in data.draw(st.permutations(samples)):
        shuffled.add(each)
        if data.draw(st.booleans()):
            shuffled.load(NANOSECONDS)
    assert list(shuffled) == list(in_order)


@given(first=samples_of_a_day(), later=samples_of_a_day())
def test_one_that_was_handed_over_goes_on_as_before(first: list[PlainBucket], later: list[PlainBucket]) -> None:
    taken_over = GpuHistory(history(first))
    for each in later:
        taken_over.add(each)
    assert list(taken_over) == list(history(first + later))


def test_however_long_it_is_watched_no_level_holds_more_than_its_slots() -> None:
    samples = history(sample_at(10.75 * at, at % 100, at, at) for at in range(20_000))
    assert [len(level) for level in samples][1:] == [level.slots for level in LEVELS[1:]]


def test_of_single_samples_those_of_the_last_half_minute_are_held() -> None:
    finest, *_ = history(sample_at(0.5 * at, at % 100, at, at) for at in range(20_000))
    assert [bucket[0] - START_NS for bucket in finest] == [at * NANOSECONDS // 2 for at in range(19_936, 20_000)]


def test_two_samples_in_quick_succession_count_each_at_its_own_time() -> None:
    samples = history(sample_at(*each) for each in [(1.0, 0.0), (1.9, 0.0), (2.1, 100.0), (3.0, 100.0)])
    between = samples.during(START_NS + NANOSECONDS, START_NS + 3 * NANOSECONDS)
    assert between.compute_percent == pytest.approx(50.0)


def test_levels_that_are_too_many_or_too_few_are_refused() -> None:
    with pytest.raises(ValueError, match="zip"):
        GpuHistory([[sample_at(1)]])


def test_an_unknown_figure_is_marked_as_not_told() -> None:
    assert bucket_of(5, GpuSampled(GPU, lost=True)) == (5, 0, 0, UNKNOWN, UNKNOWN, UNKNOWN)
    assert bucket_of(5, GpuSampled(GPU, 0.0, memory_used_bytes=0, energy_millijoules=0)) == (5, 1, 0, 0, 0, 0)
