"""Simulates `cost` and one queue for all devices, as a pool has it, on the scenarios of the real runs.

The simulation is exact and of many seeds, so it shows neither chance nor the overhead between files.
"""

from __future__ import annotations

import heapq
from random import Random
from statistics import fmean, median
from typing import Any

from naps import WORK_PER_SECOND
from real_runs import RealScenario, real_scenarios
from workload import print_table, row

from workers.whatif.simulator import SimDevice, SimFile, simulate

SEEDS = range(1, 201)
SECONDS = 5.0


def measure_beside_one_queue() -> list[dict[str, Any]]:
    """Simulate both; return median and mean over the seeds."""
    rows, cells = [], {}
    for runs in zip(*(real_scenarios(seed, SECONDS) for seed in SEEDS), strict=True):
        for name, makespan in (("one queue", _one_queue), ("cost", _cost)):
            ratios = [
                makespan(run, Random(seed)) / run.bound_seconds for seed, run in zip(SEEDS, runs, strict=True)
            ]
            middle, mean = median(ratios), fmean(ratios)
            cells[runs[0].name, name] = f"{middle:.3f} / {mean:.3f}"
            for what, figure in (("median", middle), ("mean", mean)):
                rows.append(
                    row(f"simulated, {len(SEEDS)} seeds, {runs[0].name}: {name}, {what}", figure, "x bound")
                )
    print_table("scenario", cells)
    return rows


def _one_queue(run: RealScenario, dice: Random) -> float:
    """Simulate devices that take the next file when they are free; the order at the start is random."""
    free = [(0.0, dice.random(), speed) for speed in run.speeds]
    heapq.heapify(free)
    ends = []
    for _, work in run.files:
        at, _, speed = heapq.heappop(free)
        ends.append(at + work / WORK_PER_SECOND / speed)
        heapq.heappush(free, (ends[-1], dice.random(), speed))
    return max(ends)


def _cost(run: RealScenario, dice: Random) -> float:
    devices = [SimDevice(speed) for speed in run.speeds]
    files = [SimFile(work / WORK_PER_SECOND, size) for size, work in run.files]
    return simulate(files, devices, "cost").makespan_seconds
