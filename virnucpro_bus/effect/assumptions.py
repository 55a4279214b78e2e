"""What has to be assumed of a run to estimate its end, or what it would have been, and how far it is in doubt."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from heapq import nlargest

from virnucpro_bus.clock import NANOSECONDS
from virnucpro_bus.effect.duration_model import LIKELY, OVERRUN, FixedWork, fixed_work
from virnucpro_bus.effect.shares import DeviceShare
from virnucpro_bus.effect.speeds import Measurement, Speed, Speeds, Started, factor_of

DOUBTED_DEVICES, LEAST_DOUBTED, MANY_DEVICES = 16, 2, 1_024
"""How many devices are doubted one by one, the worst known ones, and how few of many. Of many the doubts about
single ones are small, and each takes time for all of them."""
NEGLIGIBLE_ERROR = 1e-4
"""Rates that are known better than this are taken for certain."""
OTHER_GAPS, NEXT_GAPS = (0.0, 2.0), (0.5, 1.5)
"""The ranges of `other_gaps` and `next_gaps`: another run may meet another load, and other failures."""
OVERRUNS = (0.05, 1.0)
"""The range of `overrun`."""
OVERHANGS = (0.0, 3.0)
"""The range of `overhang`."""
CURVES = (0.4, 2.0)
"""The range of `curve`: about what it is where a job takes the longest sequences first, or the shortest."""
QUANTILES = (0.025, 0.975)
"""The range of `quantile`."""


@dataclass(frozen=True, kw_only=True)
class Assumptions:
    """One set of assumptions. The defaults are the likely ones."""

    fixed: int
    """The fixed cost of every file, as work."""
    speeds: Speeds
    curve: float = 1.0
    """How progress goes with time; see `Progress`."""
    other_gaps: float = 1.0
    """How much time another run would lose between files and by failed attempts, as a multiple."""
    next_gaps: float = 1.0
    """How much time will pass between files, as a multiple."""
    deviation: float = 0.0
    """How far pending files are from what is expected of them, in standard errors."""
    overrun: float = OVERRUN
    """How much longer a late file takes, as a share of its time so far."""
    grain: float = 0.5
    """How big the last files are that are handed out, as a multiple of the mean of those pending; 0: any size."""
    is_greedy: bool = False
    """Whether a device takes such a file even if another one would end with it sooner."""
    overhang: float = 1.0
    """How much later than the others the last device ends, as a multiple of what the noise makes expect."""
    failures: float = 0.0
    """How many attempts will fail, as a multiple of the share that has failed so far."""
    quantile: tuple[str, float] | None = None
    """A device, and the share of files that take less than its file in progress; None: all are as expected."""


def fixed_cost(shares: Mapping[str, DeviceShare]) -> FixedWork:
    """Return the fixed cost of every file, learned from all devices."""
    done = [share.done.sampled_files() for share in shares.values()]
    if not any(done):
        done = [
            [(share.started_work, share.progress.whole_seconds())]
            for share in shares.values()
            if share.progress is not None
        ]
    return fixed_work(done)


def measurement_of(shares: Mapping[str, DeviceShare]) -> Measurement:
    """Measure all devices, with what is learned from all of them about the fixed cost of every file."""
    return Measurement({key: share.done for key, share in shares.items()}, fixed_cost(shares))


def likely_assumptions(
    shares: Mapping[str, DeviceShare],
    now_ns: int,
    measurement: Measurement,
    fixed: int | None = None,
    curve: float = 1.0,
) -> Assumptions:
    """Return the likely assumptions for this fixed cost (None: the likely one), and progress of this curve."""
    fixed = measurement.fixed.estimate if fixed is None else fixed
    started = {
        key: Started(
            share.started_work + fixed,
            (now_ns - share.in_progress.since_ns) / NANOSECONDS,
            share.progress,
        )
        for key, share in shares.items()
        if share.in_progress is not None and share.in_progress.since_ns < now_ns
    }
    return Assumptions(fixed=fixed, speeds=measurement.speeds(fixed, started, curve), curve=curve)


def doubts(
    likely: Assumptions, shares: Mapping[str, DeviceShare], *, is_done: bool
) -> Iterator[tuple[Assumptions, Assumptions]]:
    """Both ends of each doubt but those of fixed cost and curve. `is_done`: only another run is in doubt."""
    yield replace(likely, other_gaps=OTHER_GAPS[0]), replace(likely, other_gaps=OTHER_GAPS[1])
    count = min(DOUBTED_DEVICES, max(LEAST_DOUBTED, MANY_DEVICES // max(1, len(shares))))
    speeds = nlargest(count, likely.speeds.by_key.items(), key=lambda each: each[1].error)
    for key, speed in speeds:
        if speed.error > NEGLIGIBLE_ERROR:
            slower, faster = likely_factors(speed, likely.speeds.noise)
            yield (
                replace(likely, speeds=likely.speeds.with_factor(key, slower)),
                replace(
                    likely,
                    speeds=likely.speeds.with_factor(key, faster),
                    # If a device that has completed nothing is that fast, its file is nearly done.
                    overrun=likely.overrun if speed.is_measured else OVERRUNS[0],
                ),
            )
    if is_done:
        return
    yield replace(likely, next_gaps=NEXT_GAPS[0]), replace(likely, next_gaps=NEXT_GAPS[1])
    yield replace(likely, deviation=-LIKELY), replace(likely, deviation=LIKELY)
    yield replace(likely, overhang=OVERHANGS[0]), replace(likely, overhang=OVERHANGS[1])
    late = replace(likely, grain=1.0, is_greedy=True)
    yield replace(likely, grain=0.0), late
    yield replace(likely, overrun=OVERRUNS[0]), replace(late, overrun=OVERRUNS[1])
    yield likely, replace(likely, failures=1.0)
    for key, _ in nlargest(count, shares.items(), key=lambda each: each[1].started_work):
        if shares[key].in_progress is not None:
            yield replace(likely, quantile=(key, QUANTILES[0])), replace(likely, quantile=(key, QUANTILES[1]))


def likely_factors(speed: Speed, noise: float) -> tuple[float, float]:
    """Return by what a speed may have to be multiplied: the least and the greatest factor."""
    # The mean of skewed values is skewed, too.
    return factor_of(-LIKELY * speed.error * (1 + noise)), factor_of(LIKELY * speed.error)
