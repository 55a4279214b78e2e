"""The figures of a file against curves whose integrals are known: each sample counts for its part of the time."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import cos, pi, sin
from random import Random
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virnucpro_bus.clock import NANOSECONDS
from virnucpro_bus.events.vocabulary import Device, GpuSampled
from virnucpro_bus.samples.gpu_figures import GpuFigures, PlainBucket, bucket_of, figures_between
from virnucpro_bus.samples.gpu_history import MIN_BUCKETS, GpuHistory

GPU = Device("GPU-a")
LONGEST_STEP_SECONDS = 0.7
PERIOD_SECONDS = 8.0


class Curve(NamedTuple):
    """The load of a GPU in percent, and its integral; its power in watts has the same number."""

    load: Callable[[float], float]
    integral: Callable[[float], float]
    slope: float = 0.0
    """The steepest, per second."""
    bend: float = 0.0
    """The greatest second derivative."""

    @property
    def worst_points(self) -> float:
        """How far a straight line between two samples may be from it; loads are rounded to hundredths."""
        return LONGEST_STEP_SECONDS**2 / 8 * self.bend + 0.01

    @property
    def worst_joules(self) -> float:
        """How far an even use of energy between two samples may be from it, at both ends; rounded likewise."""
        return 2 * LONGEST_STEP_SECONDS**2 / 8 * self.slope + 0.002

    def mean(self, start: float, end: float) -> float:
        return (self.integral(end) - self.integral(start)) / (end - start)


def _waves(seconds: float) -> float:
    return 2 * pi * seconds / PERIOD_SECONDS


def _busy_seconds(seconds: float) -> float:
    """How long it was busy until then, in the first half of each period."""
    periods, rest = divmod(seconds, PERIOD_SECONDS)
    return periods * PERIOD_SECONDS / 2 + min(rest, PERIOD_SECONDS / 2)


CURVES = {
    "sine": Curve(
        lambda at: 50 + 40 * sin(_waves(at)),
        lambda at: 50 * at - 40 * PERIOD_SECONDS / (2 * pi) * cos(_waves(at)),
        slope=40 * 2 * pi / PERIOD_SECONDS,
        bend=40 * (2 * pi / PERIOD_SECONDS) ** 2,
    ),
    "ramp": Curve(lambda at: at / 10, lambda at: at**2 / 20, slope=0.1),
    "constant": Curve(lambda at: 30.0, lambda at: 30 * at),
}
STEPS = Curve(
    lambda at: 100.0 if at % PERIOD_SECONDS < PERIOD_SECONDS / 2 else 0.0, lambda at: 100 * _busy_seconds(at)
)


def at_times(curve: Curve, times: Iterable[float]) -> list[PlainBucket]:
    return [
        bucket_of(
            round(at * NANOSECONDS),
            GpuSampled(GPU, curve.load(at), energy_millijoules=round(1000 * curve.integral(at))),
        )
        for at in times
    ]


def sampled(curve: Curve, seconds: float, shortest: float = 0.3) -> list[PlainBucket]:
    """Samples at uneven intervals, half a second apart on average."""
    times, random = [0.0], Random(7)
    while times[-1] < seconds:
        times.append(times[-1] + random.uniform(shortest, LONGEST_STEP_SECONDS))
    return at_times(curve, times)


def singly(samples: list[PlainBucket], start: float, end: float) -> GpuFigures:
    return figures_between(samples, 1, round(start * NANOSECONDS), round(end * NANOSECONDS))


@pytest.mark.parametrize("name", CURVES)
@given(start=st.floats(1, 800), seconds=st.one_of(st.floats(0.5, 5), st.floats(5, 190)))
def test_by_single_samples_the_figures_are_those_of_the_curve(name: str, start: float, seconds: float) -> None:
    curve, end = CURVES[name], start + seconds
    figures = singly(SAMPLES[name], start, end)
    assert figures.compute_percent == pytest.approx(curve.mean(start, end), abs=curve.worst_points)
    joules = curve.mean(start, end) * seconds
    assert figures.energy_joules == pytest.approx(joules, abs=curve.worst_joules)


SAMPLES = {name: sampled(curve, 1000) for name, curve in CURVES.items()}


@pytest.mark.parametrize(("start", "end"), [(0.0, 8.0), (4.0, 12.0), (0.0, 80.0), (2.0, 402.0)])
def test_samples_that_are_dense_while_it_is_busy_do_not_count_for_more_time(start: float, end: float) -> None:
    times, at = [], 0.0
    while at < 410:
        times.append(at)
        at += 0.1 if STEPS.load(at) else 1.0
    expected = STEPS.mean(start, end)
    # Each change of the load is known to a second.
    assert singly(at_times(STEPS, times), start, end).compute_percent == pytest.approx(expected, abs=100 / 8)


def test_a_load_that_is_unknown_for_more_than_a_tenth_of_the_time_is_no_mean() -> None:
    samples = at_times(CURVES["constant"], [at / 2 for at in range(21)])
    # The last sample counts for one more second.
    assert singly(samples, 2, 12).compute_percent == pytest.approx(30.0)
    assert singly(samples, 2, 12.5).compute_percent is None
    silent = [each for each in samples if not 3 * NANOSECONDS < each[0] < 8 * NANOSECONDS]
    assert singly(silent, 0, 10).compute_percent is None
    assert singly(silent, 0, 4).compute_percent == pytest.approx(30.0)


def test_a_file_that_took_no_time_has_the_load_of_its_moment() -> None:
    assert singly(SAMPLES["constant"], 5, 5).compute_percent == pytest.approx(30.0)


HISTORIES: dict[str, GpuHistory] = {}
WATCHED = {**CURVES, "steps": STEPS}
for _name, _curve in WATCHED.items():
    HISTORIES[_name] = GpuHistory()
    for _each in sampled(_curve, 1000):
        HISTORIES[_name].add(_each)


@pytest.mark.parametrize("name", WATCHED)
@given(
    end=st.one_of(st.floats(960, 999), st.floats(500, 999)),
    seconds=st.one_of(st.floats(0.5, 5), st.floats(5, 100), st.floats(100, 400)),
)
def test_of_a_history_every_figure_is_that_of_the_curve_or_unknown(name: str, end: float, seconds: float) -> None:
    curve, start = WATCHED[name], end - seconds
    figures = HISTORIES[name].during(round(start * NANOSECONDS), round(end * NANOSECONDS))
    steps = 2 * seconds / PERIOD_SECONDS + 1 if curve is STEPS else 0.0
    worst_points = max(curve.worst_points, 50 / MIN_BUCKETS) + steps * 100 * LONGEST_STEP_SECONDS / 2 / seconds
    expected = curve.mean(start, end)
    if figures.compute_percent is not None:
        assert figures.compute_percent == pytest.approx(expected, abs=worst_points)
    if figures.energy_joules is not None:
        assert figures.energy_joules == pytest.approx(expected * seconds, abs=worst_points * seconds)


@pytest.mark.parametrize(
    ("ended_ago", "seconds", "is_known"),
    [(1, 0.5, True), (25, 0.5, True), (40, 0.5, False), (40, 19, False), (40, 21, True), (300, 4, False)],
)
def test_a_file_of_long_ago_is_known_if_it_took_long_enough(
    ended_ago: float, seconds: float, is_known: bool
) -> None:
    end_ns = round((1000 - ended_ago) * NANOSECONDS)
    figures = HISTORIES["constant"].during(end_ns - round(seconds * NANOSECONDS), end_ns)
    assert (figures.compute_percent is not None) == (figures.energy_joules is not None) == is_known


@pytest.mark.parametrize("phase", [0.0, 0.1, 0.2, 0.24])
def test_samples_that_come_a_little_early_or_late_keep_their_times(phase: float) -> None:
    """Every other one is so late that less than half a second remains until the next."""
    times = [phase + at / 2 + (0.2 if at % 2 else 0.0) for at in range(40)]
    samples, kept = at_times(STEPS, times), GpuHistory()
    for each in samples:
        kept.add(each)
    for start in (8.0, 8.1, 11.6, 12.3):
        start_ns, end_ns = round(start * NANOSECONDS), round((start + 0.3) * NANOSECONDS)
        assert kept.during(start_ns, end_ns) == figures_between(samples, 1, start_ns, end_ns)


def test_the_memory_of_a_neighbour_is_not_that_of_a_file_of_long_ago() -> None:
    def history(neighbour_bytes: int) -> GpuHistory:
        made = GpuHistory()
        for at in range(2 * 200):
            memory = 100 if 50 <= at / 2 <= 80.5 else neighbour_bytes
            made.add(bucket_of(at * NANOSECONDS // 2, GpuSampled(GPU, 50.0, memory_used_bytes=memory)))
        return made

    start_ns, end_ns = 51 * NANOSECONDS, 81 * NANOSECONDS
    assert history(102).during(start_ns, end_ns).memory_peak_bytes in (100, 102)
    assert history(50).during(start_ns, end_ns).memory_peak_bytes == 100
    assert history(900).during(start_ns, end_ns).memory_peak_bytes is None


def test_a_file_that_took_no_time_used_no_energy_even_if_two_samples_are_of_that_moment() -> None:
    buckets = [bucket_of(5, GpuSampled(GPU, energy_millijoules=7)) for _ in range(2)]
    assert figures_between(buckets, 1, 5, 5).energy_joules == 0.0
