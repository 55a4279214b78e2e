"""A table of every completed file of a capture, with what its GPU did meanwhile by all samples of the capture.

The fold reports the same of the last 100 files, from samples combined in buckets; here each one counts by itself.
`exact_files` replaces the figures of the one by those of the other.
"""

from __future__ import annotations

from array import array
from collections import Counter, defaultdict
from collections.abc import Callable, Container, Iterator, Sequence
from itertools import takewhile
from operator import attrgetter, itemgetter
from pathlib import Path
from typing import TypedDict

from virnucpro_bus.capture.reader import CaptureReader
from virnucpro_bus.clock import NANOSECONDS, iso_utc
from virnucpro_bus.devices import is_simulated, only_one_with_prefix
from virnucpro_bus.events.codec import Foreign, decode_all
from virnucpro_bus.events.envelope import Envelope
from virnucpro_bus.events.host_time import HostTime
from virnucpro_bus.events.sequence import SequenceTracker
from virnucpro_bus.events.vocabulary import CaptureHole, FileCompleted, GpuSampled, Heartbeat
from virnucpro_bus.metrics import FileRecord
from virnucpro_bus.samples.gpu_figures import GpuFigures, PlainBucket, SampleBucket, bucket_of, figures_between

_Key = tuple[str, str, str, int, float]
"""What distinguishes a completion from others: host, device, file, attempt and duration."""
_by_time = attrgetter("wall_ns", "host", "source", "epoch", "seq")


class ExportedFile(TypedDict):
    """A row of the export: one completed file. None means unknown: an empty cell, or null."""

    ended: str
    """ISO-8601 in UTC, by the clock of the file's host."""
    host: str
    device: str
    """The device's key: a GPU's UUID, "cpu:N", "sim:N"."""
    file: str
    attempt: int
    """Which attempt at the file it was, from 1; 0 where attempts are not counted."""
    sequences: int
    duration_seconds: float
    compute_percent: float | None
    """Mean over the file's time, each sample weighted by time; None if samples cover less than 90 % of it."""
    memory_peak_bytes: int | None
    """The most memory in use at any sample in that time, by any process; without one, just before and after."""
    energy_joules: float | None
    """None if the counter was reset, or is unknown for more than a second at either end or at any time between."""
    simulated: bool | None
    """Whether the figures are simulated; None where a real device was never sampled."""


class FileTable:
    """The completed files of a capture with the figures of their GPUs. A file that was done twice has two rows."""

    def __init__(
        self, path: Path, wanted: Container[_Key] | None = None, stopped: Callable[[], object] = lambda: False
    ) -> None:
        """Read the whole capture, or until `stopped()`, which is called often. Raises CaptureError.

        `wanted` are the files of the table; None: all.
        """
        self._wanted = wanted
        self.refused: Counter[str] = Counter()
        """Records that do not contain an event, by reason."""
        self.unrecorded_frames = 0
        """Events that are missing because the capture could not be written."""
        self._completed: list[tuple[Envelope, int]] = []
        self._samples: dict[tuple[str, int, str], _SampleColumns] = {}
        """By host, boot, and device key."""
        self._seen: dict[tuple[str, str, int], SequenceTracker] = {}
        self._boots: defaultdict[str, _Boots] = defaultdict(_Boots)
        """By host."""
        self._gpus: dict[tuple[str, int], list[str]] = {}
        """By host and boot: the sorted keys of the sampled devices."""
        self._reader = CaptureReader(path)
        for batch in takewhile(lambda _: not stopped(), self._reader.batches()):
            for envelope in decode_all([record.frame for record in batch], self.refused):
                if not isinstance(envelope, Foreign):
                    self._add(envelope)
        for (host, boot, key), samples in sorted(self._samples.items(), key=itemgetter(0)):
            samples.sort()
            self._gpus.setdefault((host, boot), []).append(key)

    @property
    def is_empty(self) -> bool:
        """Whether the capture contains no known event."""
        return not self._seen

    @property
    def skipped_bytes(self) -> int:
        """Bytes that could not be read, including a last record that is cut off."""
        return self._reader.scanner.skipped_bytes + self._reader.scanner.incomplete_bytes

    def rows(self) -> Iterator[ExportedFile]:
        """One row per completion, in the order of their ends."""
        for completed, boot in sorted(self._completed, key=lambda each: _by_time(each[0])):
            event: FileCompleted = completed.event
            samples = self._samples_of(completed.host, boot, event.device)
            start_ns = completed.mono_ns - round(event.duration_seconds * NANOSECONDS)
            figures = GpuFigures() if samples is None else figures_between(samples, 1, start_ns, completed.mono_ns)
            yield ExportedFile(
                ended=iso_utc(completed.wall_ns),
                host=completed.host,
                device=event.device,
                file=event.file,
                attempt=event.attempt,
                sequences=event.sequences,
                duration_seconds=event.duration_seconds,
                compute_percent=figures.compute_percent,
                memory_peak_bytes=figures.memory_peak_bytes,
                energy_joules=figures.energy_joules,
                simulated=is_simulated(event.device) or (None if samples is None else samples.simulated),
            )

    def _samples_of(self, host: str, boot: int, device: str) -> _SampleColumns | None:
        """The samples of a device, or of the only GPU whose UUID begins with its key."""
        samples = self._samples.get((host, boot, device))
        if samples is None:
            uuid = only_one_with_prefix(device, self._gpus.get((host, boot), ()))
            samples = None if uuid is None else self._samples[host, boot, uuid]
        return samples

    def _add(self, envelope: Envelope) -> None:
        # A capture may contain an event twice.
        if not self._seen.setdefault((envelope.host, envelope.source, envelope.epoch), SequenceTracker()).add(
            envelope.seq
        ):
            return
        event = envelope.event
        boot = self._boots[envelope.host].boot_of(envelope)
        if isinstance(event, FileCompleted):
            key = envelope.host, event.device, event.file, event.attempt, event.duration_seconds
            if self._wanted is None or key in self._wanted:
                self._completed.append((envelope, boot))
        elif isinstance(event, GpuSampled):
            samples = self._samples.setdefault((envelope.host, boot, event.device.key), _SampleColumns())
            samples.add(envelope.mono_ns, event)
        elif isinstance(event, CaptureHole):
            self.unrecorded_frames += event.frames


def exact_files(path: Path, files: Sequence[FileRecord], stopped: Callable[[], object]) -> list[FileRecord]:
    """Return `files`, which the fold of the capture at `path` reports, with their figures by single samples.

    When `stopped()`, which is called often, is true, the remaining files keep their figures. Raises CaptureError.
    """
    table = FileTable(path, {_key(file) for file in files}, stopped)
    exact: dict[_Key, ExportedFile | FileRecord] = {_key(row): row for row in table.rows()}
    return [_with_figures_of(exact.get(_key(file), file), file) for file in files]


def _with_figures_of(measured: ExportedFile | FileRecord, file: FileRecord) -> FileRecord:
    return {
        **file,
        "compute_percent": measured["compute_percent"],
        "memory_peak_bytes": measured["memory_peak_bytes"],
        "energy_joules": measured["energy_joules"],
    }


def _key(file: ExportedFile | FileRecord) -> _Key:
    return file["host"], file["device"], file["file"], file["attempt"], file["duration_seconds"]


class _Boots:
    """The boots of one host: monotonic times of different ones cannot be compared."""

    def __init__(self) -> None:
        self._time = HostTime()
        self._newest_ns = 0
        self._of_stream: dict[tuple[str, int], int] = {}

    def boot_of(self, envelope: Envelope) -> int:
        """The boot in which an event was published, as the number that `HostTime.place` returns."""
        stream = envelope.source, envelope.epoch
        boot = self._of_stream.get(stream)
        if boot is None:
            boot = self._of_stream[stream] = self._time.place(envelope, self._newest_ns)
        elif isinstance(envelope.event, Heartbeat):
            self._time.observe(envelope.wall_ns, envelope.mono_ns, boot)
        self._newest_ns = max(self._newest_ns, envelope.mono_ns + boot)
        return boot


class _SampleColumns:
    """The samples of one device in 32 bytes each; reads like a list of buckets of one sample each."""

    def __init__(self) -> None:
        self.simulated = False
        self._columns = tuple(array("q") for _ in range(4))

    def add(self, at_ns: int, sample: GpuSampled) -> None:
        self.simulated = self.simulated or sample.simulated
        bucket = SampleBucket(*bucket_of(at_ns, sample))
        values = bucket.last_ns, bucket.hundredths_max, bucket.memory_bytes, bucket.energy_millijoules
        for column, value in zip(self._columns, values, strict=True):
            column.append(value)

    def sort(self) -> None:
        """Put the samples in the order of time, if they arrived in another one."""
        times = self._columns[0]
        order = sorted(range(len(times)), key=times.__getitem__)
        if order != list(range(len(times))):
            self._columns = tuple(array("q", map(column.__getitem__, order)) for column in self._columns)

    def __len__(self) -> int:
        return len(self._columns[0])

    def __getitem__(self, at: int, /) -> PlainBucket:
        last_ns, hundredths, memory_bytes, energy_millijoules = (column[at] for column in self._columns)
        known = int(hundredths >= 0)
        return last_ns, known, max(0, hundredths), hundredths, memory_bytes, energy_millijoules
