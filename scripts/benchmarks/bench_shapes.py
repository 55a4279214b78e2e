"""Benchmark of the estimates: the effect of stealing and the expected end, against real pairs of runs.

A pair is the same files with the policy `cost` and with `off`, run at once, so that what else the machine does
slows them alike. The makespan of the second is what the first estimates as "without stealing". Three pairs run at
the same time; all 13 take 4 minutes. Environment variables: BENCH_SHAPES_FOLDER=DIR keeps the runs there, and
pairs that it already holds are measured without another run; BENCH_SHAPES_SEED=N draws other files.
"""

from __future__ import annotations

import math
import os
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

from real_runs import HERE, RealScenario, run_command, write_inputs
from shapes import shapes
from workload import row

from virnucpro_bus.capture.reader import CaptureReader
from virnucpro_bus.clock import NANOSECONDS, SystemClock
from virnucpro_bus.events.codec import decode
from virnucpro_bus.events.vocabulary import FileStarted
from virnucpro_bus.sources.playback import fold_capture
from workers.whatif.recorded_run import make_recorded_run
from workers.whatif.scenarios import Variation, what_if

PAIRS_AT_ONCE = 3
REPEATABLE_PERCENT = 1.0
"""In % of the makespan: two real runs of the same files and the same policy differ by as much."""
MOMENTS = (10, 25, 50, 75, 90)
"""In % of the makespan: when the expected end is compared with the real one."""


def measure() -> list[dict[str, Any]]:
    """Run the pairs that are not there yet, and measure all of them."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(os.environ.get("BENCH_SHAPES_FOLDER", temporary)).absolute()
        every = shapes(int(os.environ.get("BENCH_SHAPES_SEED", 0)))
        with ThreadPoolExecutor(PAIRS_AT_ONCE) as pool:
            list(pool.map(lambda shape: _run_pair(shape, folder / shape.name), every))
        estimates = {shape.name: _estimates(folder / shape.name) for shape in every}
    for name, each in estimates.items():
        print(f"    {name}: " + "; ".join(map(str, each.values())), flush=True)
    return [line for what in next(iter(estimates.values())) for line in _rows(what, estimates.values())]


@dataclass(frozen=True)
class _Estimate:
    """A figure that was estimated, and what it really was, in seconds."""

    what: str
    point: float | None
    low_and_high: tuple[float, float] | None
    """Its range; the greatest may be infinite."""
    real: float
    makespan: float
    """Of the run whose end or alternative was estimated."""

    @property
    def error_percent(self) -> float | None:
        """The error of the point, in % of the makespan; None: there was none."""
        return None if self.point is None else 100 * (self.point - self.real) / self.makespan

    @property
    def holds(self) -> bool | None:
        """Whether the range contains what really was, or might as well have been; None: there was no range."""
        if self.low_and_high is None:
            return None
        slack = self.makespan * REPEATABLE_PERCENT / 100
        return self.low_and_high[0] - slack <= self.real <= self.low_and_high[1] + slack

    def __str__(self) -> str:
        point = "n/a" if self.point is None else f"{self.point:.2f} ({self.error_percent:+.1f} %)"
        low_and_high = "" if self.low_and_high is None else " [{:.2f}, {:.2f}]".format(*self.low_and_high)
        return f"{self.what} {point}{low_and_high} real {self.real:.2f}{' MISSED' if self.holds is False else ''}"


def _run_pair(shape: RealScenario, folder: Path) -> None:
    if folder.exists():
        return
    write_inputs(shape, folder / "in")
    started = {}
    for policy in ("cost", "off"):
        marks = folder / f"{policy}-marks"
        marks.mkdir()
        marked = replace(shape, options={**shape.options, "folder": str(marks)})
        command = run_command(marked, policy, folder / "in", folder / policy)
        with (folder / f"{policy}.log").open("wb") as log:
            started[policy] = subprocess.Popen(command, cwd=HERE, stdout=log, stderr=log)
    for policy, run in started.items():
        assert run.wait() == 0, f"see {folder / policy}.log"


def _estimates(folder: Path) -> dict[str, _Estimate]:
    """Return what each run of a pair lets the program estimate of itself and of the other one, by its name."""
    path, path_off = (folder / policy / "run.vbus" for policy in ("cost", "off"))
    effect, off = _effect(path), _effect(path_off)["makespan_seconds"]
    makespan = effect["makespan_seconds"]
    found = [
        _estimate(effect, "makespan_without_stealing", "without stealing", off, off),
        _estimate(effect, "saved", "saved", off - makespan, off),
        _estimate(_whatif(path, "off"), "makespan", "whatif, off", off, off),
        _estimate(_whatif(path_off, "cost"), "makespan", "whatif, cost", makespan, makespan),
    ]
    for percent in MOMENTS:
        early = _effect(path, _first_start_seconds(path) + makespan * percent / 100)
        found.append(_estimate(early, "makespan_expected", f"end, at {percent} %", makespan, makespan))
    return {each.what: each for each in found}


def _effect(path: Path, until_seconds: float | None = None) -> dict[str, Any]:
    return {**fold_capture(path, SystemClock(), until_seconds).get_effect()}


def _whatif(path: Path, policy: str) -> dict[str, Any]:
    """Return what is estimated of a recorded run with its own devices and another policy."""
    run = make_recorded_run(fold_capture(path, SystemClock()))
    return {**what_if(run, Variation(policy=policy))["alternatives"][0]}


def _estimate(effect: dict[str, Any], key: str, what: str, real: float, makespan: float) -> _Estimate:
    low, high = effect[f"{key}_range"] or (None, None)
    low_and_high = None if low is None else (low, math.inf if high is None else high)
    return _Estimate(what, effect[f"{key}_seconds"], low_and_high, real, makespan)


def _first_start_seconds(path: Path) -> float:
    """Return when the first file was started, in seconds since the start of the recording."""
    records = list(CaptureReader(path))
    first = next(each for each in records if isinstance(decode(each.frame).event, FileStarted))
    return (first.received_ns - records[0].received_ns) / NANOSECONDS


def _rows(what: str, estimates: Iterable[dict[str, _Estimate]]) -> Iterator[dict[str, Any]]:
    every = [each[what] for each in estimates]
    errors = [abs(each.error_percent) for each in every if each.error_percent is not None]
    ranges = [each.holds for each in every if each.holds is not None]
    yield row(
        f"{what}: {len(errors)} of {len(every)} known, median error", median(errors or [math.nan]), "% of makespan"
    )
    yield row("  worst error", max(errors, default=math.nan), "% of makespan")
    if ranges:
        yield row(f"  ranges that contain the real figure, of {len(ranges)}", 100 * sum(ranges) / len(ranges), "%")
