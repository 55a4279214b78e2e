"""Runs real processes that sleep, ours and those of other schedulers, on the same files, timed by two clocks.

from launch     from the start of the scheduler's own process until the last file is done
workers up      from when the workers are up until then: the mean of the times at which each started its first
                file, weighted by its speed. This is fair to workers that start one by one and to those that wait
                for each other: with all devices busy from then on, a run takes the lower bound
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from statistics import median
from time import monotonic
from typing import Any

from naps import WORK_PER_SECOND, Nap, read_naps
from scenarios import EQUAL, UNEQUAL
from schedulers import SCHEDULERS
from workload import print_table, row

from workers.schedule.policy_registry import POLICIES

FILES = 120
HERE = Path(__file__).parent


@dataclass(frozen=True)
class RealScenario:
    """Files and devices of a real run. A file is its size in bytes, which is the estimate, and its work."""

    name: str
    files: list[tuple[int, int]]
    speeds: tuple[float, ...]
    weights: str = "off"
    """The weights of the devices in the plan."""
    job: str = "napping:job"
    options: Mapping[str, str] = field(default_factory=dict)
    """What the job gets besides the speeds."""

    @property
    def bound_seconds(self) -> float:
        """The least time: all devices busy to the end, or the biggest file on the fastest device."""
        works = [work for _, work in self.files]
        return max(sum(works) / sum(self.speeds), max(works) / max(self.speeds)) / WORK_PER_SECOND


def real_scenarios(seed: int, seconds: float) -> list[RealScenario]:
    """Return runs with this lower bound in seconds; the plan assumes that all devices are equal."""
    found = []
    for name, speeds, sizes_are_known in (
        ("equal speeds", EQUAL, True),
        ("speeds unknown", UNEQUAL, True),
        ("speeds and sizes unknown", UNEQUAL, False),
    ):
        dice = Random(seed)
        shares = [dice.lognormvariate(0, 1) for _ in range(FILES)]
        scale = seconds * WORK_PER_SECOND * sum(speeds) / sum(shares)
        works = [round(share * scale) for share in shares]
        files = (
            [(work, work) for work in sorted(works, reverse=True)] if sizes_are_known else [(1, w) for w in works]
        )
        found.append(RealScenario(name, files, speeds))
    return found


def measure_real(seconds: float, seeds: range) -> list[dict[str, Any]]:
    """Run every contender on every scenario; return medians over `seeds`."""
    others = [name for name in SCHEDULERS if "dask" not in name or importlib.util.find_spec("distributed")]
    ratios: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for seed in seeds:
        for scenario in real_scenarios(seed, seconds):
            for name in (*POLICIES, *others):
                launched = monotonic()
                naps = run_ours(scenario, name) if name in POLICIES else _run_other(scenario, name)
                ended = max(end for _, end, _, _ in naps)
                bound = scenario.bound_seconds
                times = (ended - launched) / bound, (ended - workers_up(naps)) / bound
                ratios.setdefault((scenario.name, name), []).append(times)
                load = os.getloadavg()[0]
                print(
                    f"    seed {seed}, {scenario.name}, {name}: {times[0]:.3f} {times[1]:.3f} (load {load:.1f})",
                    flush=True,
                )
    rows, cells = [], {}
    for (scenario_name, name), each in ratios.items():
        medians = [median(figures) for figures in zip(*each, strict=True)]
        cells[name, scenario_name] = " / ".join(f"{figure:.3f}" for figure in medians)
        for clock, figure in zip(("from launch", "workers up"), medians, strict=True):
            rows.append(row(f"real, {scenario_name}: {name}, {clock}", figure, "x bound"))
    print_table("contender", cells)
    return rows


def workers_up(naps: list[Nap]) -> float:
    """Return when the workers were up, on the clock of the naps: see above."""
    first: dict[int, tuple[float, float]] = {}
    for begin, _, speed, process in naps:
        first[process] = min(first.get(process, (begin, speed)), (begin, speed))
    return sum(begin * speed for begin, speed in first.values()) / sum(speed for _, speed in first.values())


def run_ours(scenario: RealScenario, policy: str, *arguments: str) -> list[Nap]:
    """Run a scenario with this policy and further arguments of `run`; return the nap of each file."""
    with tempfile.TemporaryDirectory() as folder:
        inputs, out = Path(folder) / "in", Path(folder) / "out"
        write_inputs(scenario, inputs)
        command = [*run_command(scenario, policy, inputs, out), *arguments]
        subprocess.run(command, cwd=HERE, check=True, capture_output=True)
        naps = read_naps(out / "results")
    assert len(naps) == len(scenario.files), "a file was lost"
    return naps


def write_inputs(scenario: RealScenario, inputs: Path) -> None:
    """Write the files of a scenario into a new folder; they have a size, and no content."""
    inputs.mkdir(parents=True)
    for number, (size, work) in enumerate(scenario.files):
        with (inputs / f"f{number:03}_{work}.fa").open("wb") as file:
            file.truncate(size)


def run_command(scenario: RealScenario, policy: str, inputs: Path, out: Path) -> list[str]:
    """Return the command of a run, to be started in the folder HERE, where its job lies."""
    command = [sys.executable, "-m", "virnucpro_bus", "run", str(inputs), "--out", str(out)]
    command += ["--devices", f"cpu:{len(scenario.speeds)}", "--weights", scenario.weights, "--policy", policy]
    command += ["--no-dashboard", "--job", scenario.job]
    for name, value in {"speeds": _list_speeds(scenario), **scenario.options}.items():
        command += ["--job-option", f"{name}={value}"]
    return command


def _run_other(scenario: RealScenario, name: str) -> list[Nap]:
    command = [sys.executable, "-P", str(HERE / "schedulers.py"), name, _list_speeds(scenario)]
    done = subprocess.run(command, input=json.dumps(scenario.files), text=True, check=True, capture_output=True)
    return [tuple(nap) for nap in json.loads(done.stdout)]


def _list_speeds(scenario: RealScenario) -> str:
    return ",".join(map(str, scenario.speeds))
