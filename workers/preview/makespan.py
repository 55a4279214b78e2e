"""How long a run is expected to take at speeds that were measured before. Pure.

Few files are simulated, with the scheduler that would run them. Of many, a policy that steals is taken to keep all
devices busy to the end, which then differs by less than the time of one file.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from virnucpro_bus.effect.assumptions import OTHER_GAPS, likely_factors
from virnucpro_bus.effect.duration_model import LIKELY
from virnucpro_bus.effect.effect import range_of
from workers.preview.past_speeds import PastSpeeds
from workers.whatif.simulator import SimDevice, SimFile, simulate

MAX_SIMULATED = 20_000
"""So many files take 0.4 s, five times."""


class Makespan(NamedTuple):
    """From the start of the first file to the end of the last, in seconds: likely, least and greatest."""

    seconds: float
    least: float
    greatest: float


class Work(NamedTuple):
    """The files of a run, and who gets which."""

    costs: Sequence[int]
    """Of each file, the estimated work."""
    plan: Sequence[Sequence[int]]
    """The files that each device is first assigned, as indices of `costs`."""
    devices: Sequence[str]
    """The keys of the devices."""
    weights: Sequence[float]
    policy: str
    steal_interval_seconds: float


def expect_makespan(work: Work, speeds: PastSpeeds) -> Makespan:
    """Return how long `work` is expected to take. All its devices have a speed."""
    likely = _seconds(work, speeds, [1.0] * len(work.devices), 1.0)
    slow, fast = [], []
    for key, files in zip(work.devices, work.plan, strict=True):
        slower, faster = likely_factors(speeds.by_key[key], speeds.noise)
        # So much the files of a device differ together from what is expected of them.
        chance = math.exp(LIKELY * speeds.noise / math.sqrt(max(1, len(files))))
        slow.append(slower / chance)
        fast.append(faster * chance)
    # All devices are in doubt together: the range is rather too wide.
    doubts = [(_seconds(work, speeds, fast, 1.0), _seconds(work, speeds, slow, 1.0))]
    if speeds.gap_seconds:
        least, greatest = OTHER_GAPS
        ones = [1.0] * len(work.devices)
        doubts.append((_seconds(work, speeds, ones, least), _seconds(work, speeds, ones, greatest)))
    least, greatest = range_of(likely, doubts)
    return Makespan(likely, max(0.0, least), greatest)


def _seconds(work: Work, speeds: PastSpeeds, factors: Sequence[float], gaps: float) -> float:
    """Return the makespan if devices are faster by these factors, and the time between files is another."""
    rates = [speeds.by_key[key].rate * factor for key, factor in zip(work.devices, factors, strict=True)]
    gap = speeds.gap_seconds * gaps
    if work.policy == "off":
        ends = (
            sum(work.costs[file] + speeds.fixed for file in files) / rate + gap * max(0, len(files) - 1)
            for files, rate in zip(work.plan, rates, strict=True)
        )
        return max(ends, default=0.0)
    if len(work.costs) > MAX_SIMULATED:
        mean = sum(work.costs) / len(work.costs) + speeds.fixed
        return len(work.costs) / sum(1 / (mean / rate + gap) for rate in rates)
    return simulate(
        [SimFile(cost + speeds.fixed, cost) for cost in work.costs],
        [SimDevice(rate, weight) for rate, weight in zip(rates, work.weights, strict=True)],
        work.policy,
        plan=work.plan,
        steal_interval_seconds=work.steal_interval_seconds,
        gap_seconds=gap,
    ).makespan_seconds
