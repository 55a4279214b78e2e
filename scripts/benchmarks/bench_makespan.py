"""Benchmark of the policies: wall time / lower bound, simulated, and with real processes beside other schedulers.

Median of 5 seeds; the tables are those of docs/stealing.md. Environment variables: BENCH_REAL_SECONDS=N, the lower
bound of each real run in seconds (0: no real runs); BENCH_REAL_SEEDS=N, the number of their seeds. With 10 and 5
the real runs take about 30 minutes.
"""

from __future__ import annotations

import os
from random import Random
from statistics import median
from time import perf_counter
from typing import Any
from unittest import mock

from one_queue import measure_beside_one_queue
from real_runs import measure_real
from scenarios import UNEQUAL, scenarios
from workload import print_table, row

from workers.schedule.policy_registry import POLICIES
from workers.schedule.scheduler import Lease, Scheduler
from workers.whatif import simulator
from workers.whatif.simulator import SimDevice, SimFile, simulate

SEEDS = range(5)
REAL_SECONDS = 6.0


def measure() -> list[dict[str, Any]]:
    """Measure simulated runs, one queue, the cost of a decision, and real runs."""
    print(f"  load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores", flush=True)
    decisions = [*_decisions(8, 100_000, 20), *_decisions(1_024, 1_000_000, 100)]
    return [*_simulated(), *measure_beside_one_queue(), *decisions, *_real()]


def _real() -> list[dict[str, Any]]:
    seconds = float(os.environ.get("BENCH_REAL_SECONDS", REAL_SECONDS))
    return measure_real(seconds, range(int(os.environ.get("BENCH_REAL_SEEDS", len(SEEDS))))) if seconds else []


def _simulated() -> list[dict[str, Any]]:
    rows, cells = [], {}
    for runs in zip(*(scenarios(seed) for seed in SEEDS), strict=True):
        for policy in POLICIES:
            ratios = [
                simulate(run.files, run.devices, policy).makespan_seconds / run.bound_seconds for run in runs
            ]
            goal = f"<= {runs[0].goal}" if policy == "cost" and runs[0].goal else ""
            rows.append(row(f"{runs[0].name}: {policy}", median(ratios), "x bound", goal))
            cells[runs[0].name, policy] = f"{median(ratios):.3f}"
    print_table("scenario", cells)
    return rows


class _TimedScheduler(Scheduler):
    """Records how long each decision took: those for a file of the own queue, and all others."""

    own: list[float]
    others: list[float]

    def lease(self, device: int, now_seconds: float) -> Lease | None:
        """Choose a file, and record how long that took."""
        started = perf_counter()
        lease = super().lease(device, now_seconds)
        seconds = perf_counter() - started
        (self.own if lease is not None and lease.victim is None else self.others).append(seconds)
        return lease


def _decisions(devices: int, files: int, goal_us: int) -> list[dict[str, Any]]:
    """Time one request, with unequal devices that the plan assumes to be equal, so that many files are stolen."""
    dice = Random(1)
    works = [1 + int(1_000 * dice.lognormvariate(0, 1)) for _ in range(files)]
    fleet = [SimDevice(UNEQUAL[number % len(UNEQUAL)]) for number in range(devices)]
    _TimedScheduler.own, _TimedScheduler.others = [], []
    with mock.patch.object(simulator, "Scheduler", _TimedScheduler):
        result = simulate([SimFile(work, work) for work in works], fleet, "cost")
    all_us = (sum(_TimedScheduler.own) + sum(_TimedScheduler.others)) / result.requests * 1e6
    others_us = sorted(seconds * 1e6 for seconds in _TimedScheduler.others)
    bound = sum(works) / sum(device.speed for device in fleet)
    size = f"{devices:,} devices, {files:,} files"
    return [
        row(f"{size}: makespan, cost", result.makespan_seconds / bound, "x bound", "<= 1.01"),
        row(f"{size}: a request", all_us, "us", f"<= {goal_us}"),
        row(f"{size}: a request with an empty queue", median(others_us), "us", f"<= {goal_us}"),
        row(f"{size}: with an empty queue, 99th percentile", others_us[int(0.99 * len(others_us))], "us"),
    ]
