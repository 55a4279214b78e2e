"""The effect of stealing out of its figures, and that of several runs as a whole. Pure functions."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from operator import itemgetter
from statistics import fmean

from virnucpro_bus.effect.totals import MAX_STEALS_REPORTED
from virnucpro_bus.metrics import Effect, StealEffect


def make_effect(
    makespan: float | None = None,
    expected: float | None = None,
    without: float | None = None,
    bound: float | None = None,
    tail: float | None = None,
    idle: dict[str, float] | None = None,
    busy: dict[str, float] | None = None,
    finish: dict[str, float] | None = None,
    *,
    worked: Sequence[float] | None = None,
    finishes: Sequence[float] | None = None,
    steals: list[StealEffect],
    moves: int,
) -> Effect:
    """With what follows from the rest. `worked`, `finishes`: of all devices, where keys do not tell them apart."""
    worked = list((busy or {}).values()) if worked is None else worked
    finishes = list((finish or {}).values()) if finishes is None else finishes
    squares = math.fsum(each * each for each in worked)
    mean = fmean(finishes) if finishes else 0.0
    return Effect(
        makespan_seconds=makespan,
        makespan_expected_seconds=expected,
        makespan_without_stealing_seconds=without,
        lower_bound_seconds=bound,
        above_bound_percent=100 * (expected / bound - 1) if expected is not None and bound else None,
        saved_seconds=without - expected if without is not None and expected is not None else None,
        tail_seconds=tail,
        jain_index=math.fsum(worked) ** 2 / (len(worked) * squares) if squares else None,
        max_over_mean_finish=max(finishes) / mean if mean else None,
        idle_seconds=idle or {},
        busy_seconds=busy or {},
        finish_seconds=finish or {},
        moves=moves,
        steals=steals,
    )


def unknown_effect() -> Effect:
    """Nothing is known."""
    return make_effect(steals=[], moves=0)


def combine(effects: Iterable[Effect]) -> Effect:
    """Several runs as a whole: the longest counts, idle time adds up, and every device of each run counts for the
    balance. What is unknown of one run is unknown of all; but runs of which nothing is known count for nothing."""
    every = list(effects)
    known = [effect for effect in every if effect["makespan_seconds"] is not None]
    if len(known or every) == 1:
        return (known or every)[0]
    steals = sorted((steal for effect in every for steal in effect["steals"]), key=itemgetter("timestamp", "host"))
    return make_effect(
        makespan=_longest(effect["makespan_seconds"] for effect in known),
        expected=_longest(effect["makespan_expected_seconds"] for effect in known),
        without=_longest(effect["makespan_without_stealing_seconds"] for effect in known),
        bound=_longest(effect["lower_bound_seconds"] for effect in known),
        tail=_longest(effect["tail_seconds"] for effect in known),
        idle=_merged([effect["idle_seconds"] for effect in known], math.fsum),
        busy=_merged([effect["busy_seconds"] for effect in known], math.fsum),
        finish=_merged([effect["finish_seconds"] for effect in known], max),
        # Devices of two hosts may have the same key.
        worked=[seconds for effect in known for seconds in effect["busy_seconds"].values()],
        finishes=[seconds for effect in known for seconds in effect["finish_seconds"].values()],
        steals=steals[-MAX_STEALS_REPORTED:],
        moves=sum(effect["moves"] for effect in every),
    )


def _longest(seconds: Iterable[float | None]) -> float | None:
    every = list(seconds)
    known = [each for each in every if each is not None]
    return max(known) if known and len(known) == len(every) else None


def _merged(parts: Iterable[dict[str, float]], merge: Callable[[list[float]], float]) -> dict[str, float]:
    found = defaultdict[str, list[float]](list)
    for part in parts:
        for key, seconds in part.items():
            found[key].append(seconds)
    return {key: merge(found[key]) for key in sorted(found)}
