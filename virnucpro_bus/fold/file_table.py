"""Every completed file of a capture with what its GPU did meanwhile, by all looks that the capture holds.

The fold tells the same of the last files, from looks that are put together in buckets; here none is.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterator
from operator import attrgetter, itemgetter
from pathlib import Path
from typing import TypedDict

from virnucpro_bus.capture.reader import CaptureReader
from virnucpro_bus.clock import NANOSECONDS, iso_utc
from virnucpro_bus.devices import only_one_with_prefix
from virnucpro_bus.events.codec import Foreign, decode_all
from virnucpro_bus.events.envelope import Envelope
from virnucpro_bus.events.sequence import SequenceTracker
from virnucpro_bus.events.vocabulary import CaptureHole, FileCompleted, GpuSampled, RunStarted
from virnucpro_bus.fold.gpu_history import GpuFigures, SampleBucket, bucket_of, figures_between
from virnucpro_bus.fold.host_fold import LEAST_BOOT_NS

_by_time = attrgetter("wall_ns", "host", "source", "epoch", "seq")


class ExportedFile(TypedDict):
    """A row of the export. None is unknown: an empty cell, or null."""

    ended: str
    """ISO-8601 in UTC, by the clock of the file's host."""
    host: str
    device: str
    """The device's key: a GPU's UUID, "cpu:N", "sim:N"."""
    file: str
    attempt: int
    """From 1; 0 where nobody counts."""
    sequences: int
    duration_seconds: float
    compute_percent: float | None
    """Mean of the looks from the file's start to its end; where none does, of those just before and after."""
    memory_peak_bytes: int | None
    """The most memory in use at any of these looks, whoever used it."""
    energy_joules: float | None
    """None where the counter was not told all the time, but for a second at either end, or has gone back."""
    simulated: bool | None
    """Whether the figures are made up; None where nobody has looked at the device."""


class FileTable:
    """What a capture tells of files and GPUs. A file that was done again has a row for each time."""

    def __init__(self, path: Path) -> None:
        """Read all of it. Raises CaptureError when it is not a capture."""
        self.refused: Counter[str] = Counter()
        """Records that hold no event, by reason."""
        self.unrecorded_frames = 0
        """Events that came while the capture could not be written."""
        self._completed: list[tuple[Envelope, int]] = []
        self._looks: dict[tuple[str, int, str], _LookColumns] = {}
        self._seen: dict[tuple[str, str, int], SequenceTracker] = {}
        self._boots: dict[str, tuple[int, int]] = {}
        """By host: how often it was started anew, and when that was last, by the wall clock."""
        self._gpus: dict[tuple[str, int], list[str]] = {}
        """Keys of those that were looked at, sorted."""
        self._reader = CaptureReader(path)
        for batch in self._reader.batches():
            for envelope in decode_all([record.frame for record in batch], self.refused):
                if not isinstance(envelope, Foreign):
                    self._take(envelope)
        for (host, boot, key), looks in sorted(self._looks.items(), key=itemgetter(0)):
            looks.put_in_order()
            self._gpus.setdefault((host, boot), []).append(key)

    @property
    def is_empty(self) -> bool:
        """Whether it holds no event that is known."""
        return not self._seen

    @property
    def skipped_bytes(self) -> int:
        """Bytes that could not be read, a last record that was cut off among them."""
        return self._reader.scanner.skipped_bytes + self._reader.scanner.incomplete_bytes

    def rows(self) -> Iterator[ExportedFile]:
        """A row a completion, in the order in which they ended."""
        for completed, boot in sorted(self._completed, key=lambda each: _by_time(each[0])):
            event: FileCompleted = completed.event
            looks = self._looks_at(completed.host, boot, event.device)
            start_ns = completed.mono_ns - round(event.duration_seconds * NANOSECONDS)
            figures = GpuFigures() if looks is None else figures_between(looks, 1, start_ns, completed.mono_ns)
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
                simulated=None if looks is None else looks.simulated,
            )

    def _looks_at(self, host: str, boot: int, device: str) -> _LookColumns | None:
        """Those at a device, or at the only GPU whose UUID begins as it is called."""
        looks = self._looks.get((host, boot, device))
        if looks is None:
            whole = only_one_with_prefix(device, self._gpus.get((host, boot), ()))
            looks = None if whole is None else self._looks[host, boot, whole]
        return looks

    def _take(self, envelope: Envelope) -> None:
        # A capture may hold what has come twice.
        if not self._seen.setdefault((envelope.host, envelope.source, envelope.epoch), SequenceTracker()).add(
            envelope.seq
        ):
            return
        event = envelope.event
        boot, booted_ns = self._boots.get(envelope.host, (0, None))
        if isinstance(event, FileCompleted):
            self._completed.append((envelope, boot))
        elif isinstance(event, GpuSampled):
            looks = self._looks.setdefault((envelope.host, boot, event.device.key), _LookColumns())
            looks.add(envelope.mono_ns, event)
        elif isinstance(event, RunStarted):
            now_ns = envelope.wall_ns - envelope.mono_ns
            anew = booted_ns is not None and abs(now_ns - booted_ns) > LEAST_BOOT_NS
            # Its monotonic clock begins anew, too: times of before are not to be compared with those of now.
            self._boots[envelope.host] = (boot + anew, now_ns)
        elif isinstance(event, CaptureHole):
            self.unrecorded_frames += event.frames


class _LookColumns:
    """Single looks in a few bytes each; read like a list of them."""

    def __init__(self) -> None:
        self.simulated = False
        self._columns = tuple(array("q") for _ in range(4))

    def add(self, at_ns: int, sample: GpuSampled) -> None:
        self.simulated = self.simulated or sample.simulated
        ns, _, _, hundredths, memory, energy = bucket_of(at_ns, sample)
        for column, value in zip(self._columns, (ns, hundredths, memory, energy), strict=True):
            column.append(value)

    def put_in_order(self) -> None:
        """Sort them by time, where they have not come in that order."""
        times = self._columns[0]
        order = sorted(range(len(times)), key=times.__getitem__)
        if order != list(range(len(times))):
            self._columns = tuple(array("q", map(column.__getitem__, order)) for column in self._columns)

    def __len__(self) -> int:
        return len(self._columns[0])

    def __getitem__(self, at: int, /) -> SampleBucket:
        ns, hundredths, memory, energy = (column[at] for column in self._columns)
        told = int(hundredths >= 0)
        return ns, told, max(0, hundredths), hundredths, memory, energy
