"""What is estimated, against what is so in runs whose files take what they like."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from statistics import median
from typing import NamedTuple

import pytest

from tests.support.shaped_runs import Shape, ShapedRun, shapes
from virnucpro_bus.metrics import Range

SEEDS = range(4)
NAMES = sorted(shapes(0))
MOMENTS = (0.1, 0.25, 0.5, 0.75, 0.9)


class Estimate(NamedTuple):
    """A figure that was estimated, its range, and what it is."""

    value: float | None
    likely: Range | None
    truth: float

    @property
    def error(self) -> float:
        assert self.value is not None
        return abs(self.value / self.truth - 1)

    @property
    def is_held(self) -> bool:
        """Whether the range holds the truth, which a thousandth of it may blur."""
        assert self.likely is not None
        low, high = self.likely
        return low <= self.truth * 1.001 and (high is None or self.truth <= high * 1.001)


@cache
def ended(shape_name: str, policy: str, seed: int) -> tuple[ShapedRun, Estimate]:
    run = ShapedRun(shapes(seed)[shape_name], policy, seed)
    *_, fleet = run.work()
    effect = fleet.get_effect()
    told = effect["makespan_without_stealing_seconds"], effect["makespan_without_stealing_range"]
    return run, Estimate(*told, run.makespan)


def without(name: str, seed: int) -> Estimate:
    """What the run with stealing tells of the one without, and how long that took."""
    return ended(name, "cost", seed)[1]._replace(truth=ended(name, "off", seed)[0].makespan)


@cache
def expected(name: str, seed: int) -> list[Estimate]:
    """What is expected of the end at each of MOMENTS."""
    makespan = ended(name, "cost", seed)[0].makespan
    run = ShapedRun(shapes(seed)[name], "cost", seed)
    *effects, _ = (fleet.get_effect() for fleet in run.work([share * makespan for share in MOMENTS]))
    return [
        Estimate(effect["makespan_expected_seconds"], effect["makespan_expected_range"], makespan)
        for effect in effects
    ]


def all_at(moment: float) -> Iterator[Estimate]:
    """Those of all shapes at that moment that are known."""
    for name in NAMES:
        for seed in SEEDS:
            estimate = expected(name, seed)[MOMENTS.index(moment)]
            if estimate.value is not None:
                yield estimate


@pytest.mark.parametrize("name", NAMES)
def test_what_a_run_would_have_taken_without_stealing_is_within_its_range_or_a_twentieth(name: str) -> None:
    missed = [each for seed in SEEDS if not (each := without(name, seed)).is_held and each.error > 0.05]
    assert not missed


def test_half_of_what_is_told_of_runs_without_stealing_is_right_to_a_hundredth() -> None:
    assert median(without(name, seed).error for name in NAMES for seed in SEEDS) < 0.01


def test_at_half_of_a_run_half_of_the_expected_ends_are_right_to_a_twentieth() -> None:
    assert median(each.error for each in all_at(0.5)) < 0.05


def test_the_end_is_expected_ever_better() -> None:
    errors = [median(each.error for each in all_at(moment)) for moment in MOMENTS]
    assert errors == sorted(errors, reverse=True)


def test_nine_of_ten_ends_are_within_their_ranges() -> None:
    every = [each for moment in MOMENTS for each in all_at(moment)]
    assert sum(each.is_held for each in every) >= 0.9 * len(every)


def test_a_range_is_narrow_where_files_take_what_their_size_says() -> None:
    for seed in SEEDS:
        estimate = without("unequal", seed)
        assert estimate.value is not None
        assert estimate.likely is not None
        low, high = estimate.likely
        assert high is not None
        assert high - low < 0.05 * estimate.value


def test_without_a_file_moved_there_is_no_doubt_of_what_would_have_been() -> None:
    shape = Shape(files=[(1, 1.0)] * 8, speeds=(1.0, 1.0))
    *_, fleet = ShapedRun(shape, "off").work()
    effect = fleet.get_effect()
    assert effect["saved_range"] == (0.0, 0.0)
    assert effect["makespan_expected_range"] == (effect["makespan_seconds"],) * 2
