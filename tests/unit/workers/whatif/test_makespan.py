"""How near simulated runs come to the least time, beside one queue for all devices, biggest file first.

One queue is what a pool of processes has. It needs no estimate of a speed, and it knows no file that was first
assigned to another device. A run by the policy `cost` must not end later for having queues.
"""

from __future__ import annotations

import heapq
from random import Random
from statistics import fmean

import pytest

from workers.whatif.simulator import SimDevice, SimFile, simulate

SEEDS = range(8)
FILES = 120
MEAN_SECONDS = 0.15
"""So short that devices hold files ahead of their turn."""
SPEEDS = {
    "equal": (1.0, 1.0, 1.0, 1.0),
    "unequal": (1.0, 1.0, 1.5, 2.5),
    "1:2:4": (1.0, 2.0, 4.0),
    "one slow": (1.0, 1.0, 1.0, 0.2),
    "many": (1.0, 2.0, 4.0, 1.0, 2.0, 4.0, 1.0, 2.0),
}


def costs_of(kind: str, dice: Random) -> list[int]:
    """The costs of the files, biggest first."""
    spread = {"equal": 0.0, "lognormal": 1.0, "one huge": 0.5}[kind]
    costs = [round(10_000 * dice.lognormvariate(0, spread)) for _ in range(FILES)]
    if kind == "one huge":
        costs[0] = round(0.15 * sum(costs))
    return sorted(costs, reverse=True)


def bound(costs: list[int], speeds: list[float]) -> float:
    """The least time: all devices busy to the end, or the k biggest files on the k fastest devices."""
    fastest = sorted(speeds, reverse=True)
    few = (sum(costs[:number]) / sum(fastest[:number]) for number in range(1, len(fastest) + 1))
    return max(sum(costs) / sum(fastest), *few)


def one_queue(costs: list[int], speeds: list[float]) -> float:
    free = [(0.0, number) for number in range(len(speeds))]
    for cost in costs:
        at, number = free[0]
        heapq.heapreplace(free, (at + cost / speeds[number], number))
    return max(at for at, _ in free)


def by_cost(costs: list[int], speeds: list[float], *, known: bool) -> float:
    unit = MEAN_SECONDS * FILES / sum(costs)
    devices = [SimDevice(speed, weight=speed if known else 1.0) for speed in speeds]
    return simulate([SimFile(cost * unit, cost) for cost in costs], devices, "cost").makespan_seconds / unit


@pytest.mark.parametrize("kind", ["equal", "lognormal", "one huge"])
def test_a_run_takes_little_more_than_the_least_time_and_no_longer_than_with_one_queue(kind: str) -> None:
    for name, speeds in SPEEDS.items():
        ratios: dict[str, list[float]] = {"one queue": [], "known": [], "unknown": []}
        for seed in SEEDS:
            dice = Random(seed)
            costs, shuffled = costs_of(kind, dice), dice.sample(speeds, len(speeds))
            least = bound(costs, shuffled)
            ratios["one queue"].append(one_queue(costs, shuffled) / least)
            for known in (True, False):
                ratios["known" if known else "unknown"].append(by_cost(costs, shuffled, known=known) / least)
        mean = {what: fmean(each) for what, each in ratios.items()}
        assert mean["known"] <= min(1.03, mean["one queue"] + 0.001), name
        assert mean["unknown"] <= mean["one queue"] + 0.003, name
