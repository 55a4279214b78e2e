"""Makes the effect of stealing from its figures, and combines the effects of several runs. Pure functions."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import itemgetter, sub
from statistics import fmean

from virnucpro_bus.effect.totals import MAX_STEALS_REPORTED
from virnucpro_bus.metrics import Effect, Range, StealEffect


def make_effect(
    *,
    makespan: float | None = None,
    expected: float | None = None,
    without: float | None = None,
    bound: float | None = None,
    ranges: Mapping[str, Range | None] | None = None,
    tail: float | None = None,
    idle: dict[str, float] | None = None,
    busy: dict[str, float] | None = None,
    finish: dict[str, float] | None = None,
    busy_times: Sequence[float] | None = None,
    finish_times: Sequence[float] | None = None,
    steals: list[StealEffect],
    moves: int,
    loading: dict[str, float] | None = None,
) -> Effect:
    """Make an Effect, with the figures that follow from the given ones. Times are seconds, None: unknown.

    `busy_times` and `finish_times` are those of all devices, where several have the same key; by default the
    values of `busy` and `finish`. `ranges` holds those of "expected", "without", "bound", "saved" and "above".
    """
    ranges = ranges or {}
    busy_times = list((busy or {}).values()) if busy_times is None else busy_times
    finish_times = list((finish or {}).values()) if finish_times is None else finish_times
    squares = math.fsum(each * each for each in busy_times)
    mean = fmean(finish_times) if finish_times else 0.0
    return Effect(
        makespan_seconds=makespan,
        makespan_expected_seconds=expected,
        makespan_expected_range=ranges.get("expected"),
        makespan_without_stealing_seconds=without,
        makespan_without_stealing_range=ranges.get("without"),
        lower_bound_seconds=bound,
        lower_bound_range=ranges.get("bound"),
        above_bound_percent=percent_above(expected, bound) if expected is not None and bound else None,
        above_bound_range=ranges.get("above"),
        saved_seconds=without - expected if without is not None and expected is not None else None,
        saved_range=ranges.get("saved"),
        tail_seconds=tail,
        jain_index=math.fsum(busy_times) ** 2 / (len(busy_times) * squares) if squares else None,
        max_over_mean_finish=max(finish_times) / mean if mean else None,
        idle_seconds=idle or {},
        busy_seconds=busy or {},
        finish_seconds=finish or {},
        moves=moves,
        steals=steals,
        loading_seconds=loading or {},
    )


def unknown_effect() -> Effect:
    """Make an Effect of which every figure is unknown."""
    return make_effect(steals=[], moves=0)


def rename_devices(effect: Effect, names: Mapping[str, str]) -> Effect:
    """Return the effect with other keys of devices; `names` are by the old ones, and each is a key of its own."""

    def renamed(figures: Mapping[str, float]) -> dict[str, float]:
        return {names.get(key, key): seconds for key, seconds in figures.items()}

    return {
        **effect,
        "idle_seconds": renamed(effect["idle_seconds"]),
        "busy_seconds": renamed(effect["busy_seconds"]),
        "finish_seconds": renamed(effect["finish_seconds"]),
        "loading_seconds": renamed(effect["loading_seconds"]),
    }


def combine(effects: Iterable[Effect]) -> Effect:
    """Combine the effects of several runs: the longest run counts; idle, busy and loading times add up.

    Balance is computed over all devices of all runs. A figure that is unknown for one run is unknown for the
    combination, but runs of which every figure is unknown are ignored.
    """
    given = list(effects)
    known = [effect for effect in given if effect["makespan_seconds"] is not None]
    loading = _merged([effect["loading_seconds"] for effect in given], math.fsum)
    if len(known or given) == 1:
        return {**(known or given)[0], "loading_seconds": loading}
    steals = sorted((steal for effect in given for steal in effect["steals"]), key=itemgetter("timestamp", "host"))
    expected = _longest_range(effect["makespan_expected_range"] for effect in known)
    without = _longest_range(effect["makespan_without_stealing_range"] for effect in known)
    bound = _longest_range(effect["lower_bound_range"] for effect in known)
    return make_effect(
        makespan=_longest(effect["makespan_seconds"] for effect in known),
        expected=_longest(effect["makespan_expected_seconds"] for effect in known),
        without=_longest(effect["makespan_without_stealing_seconds"] for effect in known),
        bound=_longest(effect["lower_bound_seconds"] for effect in known),
        ranges={
            "expected": expected,
            "without": without,
            "bound": bound,
            "saved": _between(without, expected, sub),
            "above": _between(expected, bound, percent_above),
        },
        tail=_longest(effect["tail_seconds"] for effect in known),
        idle=_merged([effect["idle_seconds"] for effect in known], math.fsum),
        busy=_merged([effect["busy_seconds"] for effect in known], math.fsum),
        finish=_merged([effect["finish_seconds"] for effect in known], max),
        # Devices of two hosts may have the same key.
        busy_times=[seconds for effect in known for seconds in effect["busy_seconds"].values()],
        finish_times=[seconds for effect in known for seconds in effect["finish_seconds"].values()],
        steals=steals[-MAX_STEALS_REPORTED:],
        moves=sum(effect["moves"] for effect in given),
        loading=loading,
    )


def _longest(seconds: Iterable[float | None]) -> float | None:
    """The greatest time; None if any is unknown, or there are none."""
    every = list(seconds)
    known = [each for each in every if each is not None]
    return max(known) if known and len(known) == len(every) else None


def _longest_range(ranges: Iterable[Range | None]) -> Range | None:
    """The range of the greatest time; None if any is unknown, or there are none."""
    every = list(ranges)
    known = [each for each in every if each is not None]
    if not known or len(known) < len(every):
        return None
    greatest = [high for _, high in known if high is not None]
    return max(low for low, _ in known), max(greatest) if len(greatest) == len(known) else None


def _between(one: Range | None, other: Range | None, compare: Callable[[float, float], float]) -> Range | None:
    """The range of `compare`, which rises with the first and falls with the second; None: unknown."""
    if one is None or other is None or other[1] is None or not other[0]:
        return None
    return compare(one[0], other[1]), None if one[1] is None else compare(one[1], other[0])


def percent_above(seconds: float, bound: float) -> float:
    """How far a makespan is above a lower bound that is not 0."""
    return 100 * (seconds / bound - 1)


def _merged(parts: Iterable[dict[str, float]], merge: Callable[[list[float]], float]) -> dict[str, float]:
    """One dict of all keys, in order, with the times of equal keys merged."""
    found = defaultdict[str, list[float]](list)
    for part in parts:
        for key, seconds in part.items():
            found[key].append(seconds)
    return {key: merge(found[key]) for key in sorted(found)}
