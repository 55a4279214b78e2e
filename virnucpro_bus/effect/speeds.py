"""How fast each device works, how that has changed, and how well it is known. Pure.

The rate of a device is the work of its files / the seconds that they took. Work is an estimate, so a rate that was
measured on a few files is uncertain, and one that has changed tells little of what comes. Hence:

    noise       by what share files differ from what their work makes expect: sqrt(sum e² / sum work²), with
                e = seconds x rate - work, over all devices
    phases      a device's files, in the order of time, are split where their mean slowness, log(seconds / work),
                changes by more than SPLIT_ERRORS standard errors, whatever fixed cost of a file is likely, because
                small files come last. The variance is that of successive differences (von Neumann, 1941), which a
                change of the mean hardly alters
    error       the standard error of the log of a rate: that of a ratio (Cochran, Sampling Techniques, 1977)

pooling.py then weighs what is known of one device against what is known of all.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate, pairwise
from operator import mul, sub
from typing import NamedTuple

from virnucpro_bus.effect.device_totals import DeviceTotals, TimedFile
from virnucpro_bus.effect.duration_model import FixedWork, Progress, remaining_seconds
from virnucpro_bus.effect.pooling import pool, suppose

SPLIT_ERRORS = 4.5
"""How many standard errors a speed must change by; a smaller change may be chance, since every place is tried."""
FEWEST_SPLIT = 4
"""Of fewer files no speed is split in two: one file shows none."""
LEAST_NOISE = 0.03
"""In the search for changes, files are taken to differ by at least this share."""
ASSUMED_NOISE = 0.3
"""What the noise is taken to be before it shows. Counts as much as one file does."""
BORROWED_FILES = 2
"""How many files' worth of the noise of all devices counts for each."""
_LEAST_ERROR = 1e-6
_GREATEST_LOG = 100.0
"""Logs of rates, their ratios and their variance are clamped to this: beyond it nothing is known of a speed, and
no float can hold what follows from it."""


class Phase(NamedTuple):
    """A time during which the speed of a device is steady."""

    since_ns: int
    """The host's monotonic time at which it began; 0: with the session."""
    rate: float
    """Work per second."""


class Started(NamedTuple):
    """A file in progress."""

    work: float
    seconds: float
    """How long it has been in progress; above 0."""
    progress: Progress | None = None
    """How far it is; None: unknown."""


class Speed(NamedTuple):
    """The speed of one device."""

    phases: tuple[Phase, ...]
    """Oldest first, at least one."""
    error: float
    """The standard error of the log of the last rate."""
    is_measured: bool
    """Whether it has completed a file; otherwise it is supposed to be like the others.

    Of none, before any has: then the progress of its file shows its speed, or that of the others."""

    @property
    def rate(self) -> float:
        """Its present rate."""
        return self.phases[-1].rate

    def rate_until(self, end_ns: int) -> float:
        """Its rate before a time, such as the end of a file."""
        return next(rate for since_ns, rate in reversed(self.phases) if since_ns < end_ns or not since_ns)

    def times(self, factor: float) -> Speed:
        """Return the speed with all rates multiplied."""
        phases = tuple(Phase(since_ns, rate * factor) for since_ns, rate in self.phases)
        return Speed(phases, self.error, self.is_measured)


class Speeds(NamedTuple):
    """The speeds of all devices."""

    by_key: Mapping[str, Speed]
    """Empty before the first file of any is completed, or its progress known."""
    noise: float = 0.0
    """By what share files differ from what is expected; 0 before it shows."""
    cautious_noise: float = ASSUMED_NOISE
    """The greatest that it is likely to be."""

    def with_factor(self, key: str, factor: float) -> Speeds:
        """Return the same with the rates of one device multiplied."""
        by_key = {**self.by_key, key: self.by_key[key].times(factor)}
        return Speeds(by_key, self.noise, self.cautious_noise)


class _Evidence(NamedTuple):
    """What the files of one device tell. All but `phases` is about those of the last phase."""

    phases: tuple[Phase, ...]
    files: int
    seconds: float
    work: float
    squared_work: float
    squared_residuals: float

    def error(self, noise: float) -> float:
        """The standard error of the log of the last rate, where all devices have this noise."""
        borrowed = BORROWED_FILES * noise**2 * self.squared_work / self.files
        square = (self.squared_residuals + borrowed) * self.files / (self.files + BORROWED_FILES - 1)
        return max(_LEAST_ERROR, math.sqrt(square) / self.work)

    def likely_rate(self, file: Started | None, noise: float) -> float:
        """The last rate, with as much of the file in progress counted as is likely done.

        Without that the rate would be too high, the more so the fewer files are done: of files that begin together
        the short ones end first. A step of expectation and maximization (Dempster, Laird and Rubin, 1977).
        """
        rate = self.phases[-1].rate
        if file is None or not noise:
            return rate
        whole = file.seconds + remaining_seconds(file.work / rate, file.seconds, noise)
        done = file.work * file.seconds / whole
        return min(rate, (self.work + done) / (self.seconds + file.seconds))


class Measurement:
    """Measures the speeds of devices at one moment, which several fixed costs of a file are assumed for.

    What these do not change is kept. Not thread-safe.
    """

    def __init__(self, done: Mapping[str, DeviceTotals], fixed: FixedWork) -> None:
        """Measure all devices in `done`. A speed has changed if it has whatever fixed cost in `fixed` is true."""
        self.fixed = fixed
        self._done = done
        self._timelines = {key: timeline for key, each in done.items() if (timeline := each.timeline())}
        self._slowness_by_fixed: dict[int, dict[str, list[float]]] = {}
        ends = [self._slowness(each) for each in sorted({fixed.least, fixed.greatest})]
        self._courses = {
            key: [each[key] for each in ends]
            for key, timeline in self._timelines.items()
            if len(timeline) >= FEWEST_SPLIT
        }
        """The slowness of the files of a device at both ends of the fixed cost, of devices with so many files."""
        self._changes = {key: _strongest_change(course) for key, course in self._courses.items()}

    def speeds(self, fixed: int, in_progress: Mapping[str, Started], curve: float = 1.0) -> Speeds:
        """Measure all devices with `fixed` added to the work of every file.

        The work in `in_progress` includes it; `curve` is that of the progress of these files.
        """
        slowness = self._slowness(fixed)
        variance = _successive_variance(slowness.values())
        least = SPLIT_ERRORS**2 * max(variance, LEAST_NOISE**2)
        evidence = {}
        for key, timeline in self._timelines.items():
            is_split = key in self._changes and self._changes[key][0] > least
            starts = _starts(self._courses[key], least) if is_split else [0]
            evidence[key] = _evidence(timeline, fixed, starts, self._done[key].rate(fixed))
        noise, cautious = _noises(evidence.values())
        # Before the first completed file of any, those in progress count as if they were done when they will be.
        evidence = evidence or {
            key: _foreseen(file.work, file.progress, curve)
            for key, file in in_progress.items()
            if file.progress is not None
        }
        if not evidence:
            return Speeds({})
        skewed = max(noise, math.sqrt(math.expm1(min(variance, _GREATEST_LOG)))) if noise else 0.0
        rates = {key: each.likely_rate(in_progress.get(key), skewed) for key, each in evidence.items()}
        logs = [math.log(rate) for rate in rates.values()]
        likely = pool(logs, [each.error(noise) for each in evidence.values()])
        careful = pool(logs, [each.error(cautious) for each in evidence.values()])
        by_key = {}
        for at, (key, each) in enumerate(evidence.items()):
            value = likely.members[at].value if noise else logs[at]
            error = math.hypot(careful.members[at].error, careful.members[at].value - value)
            last = Phase(each.phases[-1].since_ns, rates[key] if value == logs[at] else factor_of(value))
            by_key[key] = Speed((*each.phases[:-1], last), error, is_measured=bool(self._timelines))
        rest = [key for key in self._done if key not in by_key]
        limits = [math.log(file.work / file.seconds) if (file := in_progress.get(key)) else None for key in rest]
        for key, (value, error) in zip(rest, suppose(limits, likely, careful), strict=True):
            by_key[key] = Speed((Phase(0, factor_of(value)),), error, is_measured=False)
        return Speeds(by_key, noise, cautious)

    def _slowness(self, fixed: int) -> dict[str, list[float]]:
        """The slowness of the files of each device, by this fixed cost."""
        if (known := self._slowness_by_fixed.get(fixed)) is None:
            known = self._slowness_by_fixed[fixed] = {
                key: [math.log(seconds / (work + fixed)) for _, work, seconds in timeline]
                for key, timeline in self._timelines.items()
            }
        return known


def factor_of(log: float) -> float:
    """Return the factor, or the rate, of this log: above 0 and finite, also where next to nothing is known."""
    return math.exp(max(-_GREATEST_LOG, min(log, _GREATEST_LOG)))


def _successive_variance(devices: Iterable[Sequence[float]]) -> float:
    """The variance of a file's slowness, by the differences between successive files of a device."""
    total, pairs = 0.0, 0
    for logs in devices:
        changes = list(map(sub, logs[1:], logs))
        total += math.fsum(map(mul, changes, changes))
        pairs += len(changes)
    return total / (2 * pairs) if pairs else 0.0


def _evidence(
    timeline: Sequence[TimedFile], fixed: int, starts: Sequence[int], overall: float | None
) -> _Evidence:
    works, seconds = [file.work + fixed for file in timeline], [file.seconds for file in timeline]
    if len(starts) == 1 and overall is not None:
        # That of all files, not only of those in the sample.
        phases = [Phase(0, overall)]
    else:
        phases = [
            Phase(
                timeline[first - 1].end_ns if first else 0, sum(works[first:stop]) / math.fsum(seconds[first:stop])
            )
            for first, stop in pairwise([*starts, len(timeline)])
        ]
        works, seconds = works[starts[-1] :], seconds[starts[-1] :]
    rate = phases[-1].rate
    residuals = [took * rate - work for took, work in zip(seconds, works, strict=True)]
    return _Evidence(
        phases=tuple(phases),
        files=len(works),
        seconds=math.fsum(seconds),
        work=float(sum(works)),
        squared_work=float(sum(map(mul, works, works))),
        squared_residuals=math.fsum(map(mul, residuals, residuals)),
    )


def _foreseen(work: float, progress: Progress, curve: float) -> _Evidence:
    """What a file in progress will show once it is done."""
    seconds = progress.whole_seconds(curve)
    return _Evidence((Phase(0, work / seconds),), 1, seconds, work, work**2, 0.0)


def _starts(likely: Sequence[Sequence[float]], least: float, first: int = 0) -> list[int]:
    """The positions at which phases start, the first being `first`: split at the strongest change, then anew.

    `likely` is as for `_strongest_change`; no weaker change than `least` counts.
    """
    strength, place = _strongest_change(likely)
    if strength <= least:
        return [first]
    before, after = ([logs[part] for logs in likely] for part in (slice(place), slice(place, None)))
    return _starts(before, least, first) + _starts(after, least, first + place)


def _strongest_change(likely: Sequence[Sequence[float]]) -> tuple[float, int]:
    """The strength and the place of the strongest change of slowness; 0 if there is none.

    `likely` holds the slowness of the same files under several assumptions; under all of them it must change.
    """
    sums = [list(accumulate(logs, initial=0.0)) for logs in likely]
    count, place, greatest = len(likely[0]), 0, 0.0
    for at in range(2, count - 1):
        changes = [each[at] / at - (each[count] - each[at]) / (count - at) for each in sums]
        is_one = min(changes) > 0 or max(changes) < 0
        strength = min(map(abs, changes)) ** 2 * at * (count - at) / count if is_one else 0.0
        if strength > greatest:
            place, greatest = at, strength
    return greatest, place


def _noises(evidence: Iterable[_Evidence]) -> tuple[float, float]:
    """The noise of all devices as it shows, 0 without two files of one device; and the greatest that is likely."""
    every = list(evidence)
    files = sum(each.files for each in every)
    degrees = files - len(every)
    mean_square = math.fsum(each.squared_work for each in every) / files if files else 1.0
    square = math.fsum(each.squared_residuals for each in every) / mean_square
    noise = math.sqrt(square / degrees) if degrees else 0.0
    # Few files tell little of the noise, too: the factor is close to that of Student's t distribution.
    cautious = math.sqrt((square + ASSUMED_NOISE**2) / (degrees + 1) * (degrees + 4) / (degrees + 1))
    return noise, cautious
