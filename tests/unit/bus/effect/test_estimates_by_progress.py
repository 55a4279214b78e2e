"""What is estimated of runs whose jobs report progress, against what is so, and against what is without it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache
from statistics import fmean, median
from typing import NamedTuple

import pytest

from tests.support.shaped_runs import ProgressByTime, ShapedRun, shapes, sorted_by_length
from virnucpro_bus.clock import NANOSECONDS
from virnucpro_bus.events.vocabulary import FileCompleted, FileStarted
from virnucpro_bus.metrics import Effect

SEEDS = range(1)
EARLY = (0.5, 0.75, 0.95)
"""Moments, as shares of the time to the end of the first file …"""
LATER = (0.5, 0.75, 0.9)
"""… and of the run."""
KINDS: dict[str, ProgressByTime | None] = {
    "without": None,
    "unsorted": sorted_by_length(0.0),
    "longest first": sorted_by_length(0.7),
    "shortest first": sorted_by_length(-0.7),
}


class Estimate(NamedTuple):
    """The end of a run as it is expected, as a multiple of the true one, and whether the range holds that."""

    factor: float
    is_held: bool


def estimated(effect: Effect, makespan: float) -> Estimate | None:
    """What is expected in `effect`; None: nothing is."""
    value, likely = effect["makespan_expected_seconds"], effect["makespan_expected_range"]
    if value is None or likely is None:
        return None
    low, high = likely
    return Estimate(value / makespan, low <= makespan * 1.001 and (high is None or makespan <= high * 1.001))


@cache
def runs() -> list[tuple[str, int, float, float]]:
    """All runs: shape, seed, the time to the end of the first file, and the makespan."""
    found = []
    for seed in SEEDS:
        for name, shape in shapes(seed).items():
            run = ShapedRun(shape, "cost", seed)
            list(run.work())
            begun, done = (
                min(each.mono_ns for each in run.script.envelopes if isinstance(each.event, kind))
                for kind in (FileStarted, FileCompleted)
            )
            found.append((name, seed, (done - begun) / NANOSECONDS, run.makespan))
    return found


@cache
def expected(kind: str) -> tuple[Sequence[list[Estimate]], Sequence[list[Estimate]]]:
    """What is known at each moment of EARLY and of LATER, in all runs with progress of that kind."""
    early, later = tuple[list[Estimate], ...]([] for _ in EARLY), tuple[list[Estimate], ...]([] for _ in LATER)
    for name, seed, first, makespan in runs():
        moments = [*(share * first for share in EARLY), *(share * makespan for share in LATER)]
        run = ShapedRun(replace(shapes(seed)[name], progress=KINDS[kind]), "cost", seed)
        order = sorted(range(len(moments)), key=moments.__getitem__)
        for at, fleet in zip(order, run.work(moments), strict=False):
            if (estimate := estimated(fleet.get_effect(), makespan)) is not None:
                (*early, *later)[at].append(estimate)
    return early, later


def errors(estimates: Sequence[Estimate]) -> Iterator[float]:
    return (abs(math.log(each.factor)) for each in estimates)


def test_without_progress_nothing_is_expected_during_the_first_file() -> None:
    assert expected("without")[0] == ([], [], [])


def test_half_of_the_ends_that_even_progress_makes_expect_are_right_to_a_quarter() -> None:
    for estimates in expected("unsorted")[0]:
        assert len(estimates) >= 0.75 * len(runs())
        assert median(errors(estimates)) < math.log(1.25)


def test_during_the_first_file_nine_of_ten_ends_are_within_their_ranges() -> None:
    every = [each for kind in KINDS for estimates in expected(kind)[0] for each in estimates]
    assert sum(each.is_held for each in every) >= 0.9 * len(every)


@pytest.mark.parametrize(("kind", "slack"), [("unsorted", 0.0), ("longest first", 0.03), ("shortest first", 0.03)])
def test_later_ends_are_expected_as_well_as_without_progress(kind: str, slack: float) -> None:
    for with_progress, without in zip(expected(kind)[1], expected("without")[1], strict=True):
        assert fmean(errors(with_progress)) <= fmean(errors(without)) + slack
