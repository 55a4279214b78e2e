"""Benchmark of engines: processes of the launcher, a Dask cluster where our policy decides, one where Dask does.

Each round runs the same files on all three, one after the other; ratios are taken within a round. Time counts from
when the workers are up. Per file: what a file of no work takes a worker, with all that is done for it.
"""

from __future__ import annotations

import importlib.util
from statistics import median
from typing import Any

from real_runs import RealScenario, real_scenarios, run_ours, workers_up
from workload import row

ROUNDS = 5
TINY_FILES = 400
TINY_DEVICES = 2
REAL_SECONDS = 6.0
"""The lower bound of the runs of sleeping workers."""
LOCAL = "local, policy cost"
ENGINES: dict[str, tuple[str, tuple[str, ...]]] = {
    LOCAL: ("cost", ()),
    "dask, policy cost": ("cost", ("--engine", "dask")),
    "dask, policy dask": ("dask", ("--engine", "dask")),
}
"""By name: the policy, and further arguments of `run`."""


def measure() -> list[dict[str, Any]]:
    """Measure all engines in several rounds."""
    if importlib.util.find_spec("distributed") is None:
        return [row("engines: not measured, Dask is not installed", 0.0, "")]
    tiny = RealScenario("no work", [(1, 0)] * TINY_FILES, (1.0,) * TINY_DEVICES)
    per_file: dict[str, list[float]] = {name: [] for name in ENGINES}
    makespans: dict[tuple[str, str], list[float]] = {}
    for seed in range(ROUNDS):
        for name in ENGINES:
            per_file[name].append(1e3 * _seconds(tiny, name) * TINY_DEVICES / TINY_FILES)
        for scenario in real_scenarios(seed, REAL_SECONDS)[:2]:
            for name in ENGINES:
                ratio = _seconds(scenario, name) / scenario.bound_seconds
                makespans.setdefault((scenario.name, name), []).append(ratio)
    rows = []
    for name, taken in per_file.items():
        rows.append(row(f"per file, {name}", median(taken), "ms"))
        if name != LOCAL:
            ratios = [each / local for each, local in zip(taken, per_file[LOCAL], strict=True)]
            rows.append(row("  / local", median(ratios), "x"))
    rows += [row(f"{scenario}, {name}", median(each), "x bound") for (scenario, name), each in makespans.items()]
    return rows


def _seconds(scenario: RealScenario, name: str) -> float:
    """How long a run takes from when the workers are up."""
    policy, arguments = ENGINES[name]
    naps = run_ours(scenario, policy, *arguments)
    return max(end for _, end, _, _ in naps) - workers_up(naps)
