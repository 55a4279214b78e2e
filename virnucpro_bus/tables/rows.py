"""The rows of an export: the attempts of recorded runs, with what is known of their files, devices and GPUs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from heapq import nlargest, nsmallest
from itertools import islice
from math import inf, isfinite
from operator import itemgetter
from typing import Any, TypedDict

from virnucpro_bus.clock import iso_utc
from virnucpro_bus.device_keys import gpus_of
from virnucpro_bus.devices import only_one_with_prefix
from virnucpro_bus.errors import UserError
from virnucpro_bus.events.vocabulary import Device
from virnucpro_bus.exporters import RowOptions
from virnucpro_bus.samples.gpu_figures import GpuFigures
from virnucpro_bus.sources.recording import Recording
from virnucpro_bus.timeline.attempt_figures import AttemptFigures
from virnucpro_bus.timeline.timeline import Attempt


class ExportedFile(TypedDict):
    """A row of the export: one completed file, or another attempt. None means unknown: an empty cell, or null."""

    ended: str | None
    """ISO-8601 in UTC, by the clock of the file's host; None: the end is not known."""
    host: str
    device: str
    """The device's key: a GPU's UUID, "cpu:N", "sim:N"."""
    file: str
    attempt: int
    """Which attempt at the file it was, from 1; 0 where attempts are not counted."""
    sequences: int | None
    """None unless completed."""
    duration_seconds: float | None
    """None while the end is not known, and so are the figures of the GPU."""
    compute_percent: float | None
    """Mean over the file's time, each sample weighted by time; None if samples cover less than 90 % of it."""
    memory_peak_bytes: int | None
    """The most memory in use at any sample in that time, by any process; without one, just before and after."""
    energy_joules: float | None
    """None if the counter was reset, or is unknown for more than a second at either end or at any time between."""
    simulated: bool | None
    """Whether the figures are simulated; None where a real device was never sampled."""
    outcome: str
    """"completed", "failed", "lost", "broken off" or "running": see timeline.Outcome."""
    reason: str | None
    """Why it failed or was lost."""
    started: str | None
    """As `ended`."""
    run: str
    """The name of the run; the path of its capture where no run was announced, or several have the name."""
    stolen_from: str | None
    """The key of the device whose queue it was stolen from; None: it was not stolen."""
    device_index: int | None
    """NVML's index of a GPU, of several that of the first; the number of another device."""
    device_name: str | None
    size_bytes: int | None
    """Of the input file; None where no plan reports it, or sessions of the run report different sizes."""
    sequences_per_second: float | None


COLUMNS = tuple(ExportedFile.__annotations__)
_ENDED = ("completed", "failed", "lost")
"""The outcomes of attempts whose end is known."""


def rows_of(recordings: Sequence[Recording], options: RowOptions) -> Iterator[ExportedFile]:
    """Yield the rows of all runs in the order that is asked for; unknown values are last, equal ones by their end.

    Raises UserError for a column that does not exist.
    """
    column, descending = sorted_column(options.sort), options.sort.startswith("-")
    attempts = [
        (attempt, number)
        for number, recording in enumerate(recordings)
        for attempt in recording.timeline.attempts
        if options.attempts or attempt.outcome == "completed"
    ]
    attempts.sort(key=_by_end)
    runs = [_RunRows(recording, names) for recording, names in zip(recordings, run_names(recordings), strict=True)]
    rows = (runs[number].row(attempt) for attempt, number in attempts)
    if options.sort == RowOptions.sort:
        return islice(rows, options.top)
    value = itemgetter(column)

    def order(row: ExportedFile) -> tuple[bool, Any]:
        return (value(row) is None) is not descending, value(row)

    if options.top is not None:
        return iter((nlargest if descending else nsmallest)(options.top, rows, order))
    return iter(sorted(rows, key=order, reverse=descending))


def sorted_column(sort: str) -> str:
    """Return the column of RowOptions.sort. Raises UserError if there is none."""
    column = sort.removeprefix("-")
    if column not in COLUMNS:
        raise UserError(f"--sort {sort}: is not a column; the columns are {', '.join(COLUMNS)}")
    return column


def run_names(recordings: Sequence[Recording]) -> list[Mapping[str, str]]:
    """Return the names of the announced runs by host, for each recording; without those that several have."""
    announced = [{each["host"]: each["run"] for each in recording.fleet.runs()} for recording in recordings]
    uses = Counter(name for names in announced for name in set(names.values()))
    return [{host: name for host, name in names.items() if name and uses[name] == 1} for names in announced]


def _by_end(numbered: tuple[Attempt, int]) -> tuple[bool, int, str]:
    attempt, _ = numbered
    return attempt.outcome not in _ENDED, attempt.wall_ns, attempt.host


class _RunRows:
    """Makes the rows of one recorded run."""

    def __init__(self, recording: Recording, names: Mapping[str, str]) -> None:
        self._path, self._names = str(recording.path), names
        self._timeline = recording.timeline
        self._figures = AttemptFigures(recording.timeline)
        self._device_of = cache(self._find_device)

    def row(self, attempt: Attempt) -> ExportedFile:
        """Return the row of one attempt."""
        host, key = attempt.host, attempt.device
        has_ended = attempt.outcome in _ENDED
        is_completed = attempt.outcome == "completed"
        figures = self._figures.figures(attempt) if has_ended else GpuFigures()
        device = self._device_of(host, key)
        started_ns = attempt.wall_ns - (attempt.end_ns - attempt.start_ns)
        seconds = attempt.duration_seconds
        return ExportedFile(
            ended=iso_utc(attempt.wall_ns) if has_ended else None,
            host=host,
            device=key,
            file=attempt.file,
            attempt=attempt.attempt,
            sequences=attempt.sequences if is_completed else None,
            duration_seconds=seconds if has_ended else None,
            compute_percent=figures.compute_percent,
            memory_peak_bytes=figures.memory_peak_bytes,
            energy_joules=figures.energy_joules,
            simulated=self._figures.is_simulated(attempt),
            outcome=attempt.outcome,
            reason=attempt.reason or None,
            started=iso_utc(started_ns) if started_ns >= 0 else None,
            run=self._names.get(host, self._path),
            stolen_from=attempt.stolen_from,
            device_index=device.index,
            device_name=device.name or None,
            size_bytes=self._timeline.sizes.get(host, {}).get(attempt.file),
            sequences_per_second=_rate(attempt.sequences, seconds) if is_completed else None,
        )

    def _find_device(self, host: str, key: str) -> Device:
        """Return what is known of a device, or of the only GPU whose UUID begins with its key."""
        devices = self._timeline.devices
        gpus = (other for name, other in devices if name == host and other != key and gpus_of(other) == (other,))
        uuid = only_one_with_prefix(key, sorted(gpus))
        return devices.get((host, uuid or key), Device(key))


def _rate(sequences: int | None, seconds: float) -> float | None:
    rate = sequences / seconds if sequences is not None and seconds else inf
    return rate if isfinite(rate) else None
