"""Records any bus into a new capture: its history and its live events, each event once."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from virnucpro_bus.capture.writer import CaptureWriter
from virnucpro_bus.clock import Clock, ManualClock
from virnucpro_bus.errors import UserError
from virnucpro_bus.events.codec import Foreign
from virnucpro_bus.events.dedup import Deduplicator
from virnucpro_bus.events.envelope import Envelope
from virnucpro_bus.files.disk import Disk


class Recorder:
    """Writes the events it is handed to a new capture, without duplicates. Not thread-safe.

    History arrives all at once, so the capture's time of receipt is the time at which an event was published, as
    far as possible: not later than now, and not before the event recorded before it. When the disk is full,
    recording stops, and resumes when there is room; see CaptureWriter.
    """

    def __init__(self, path: Path, clock: Clock, disk: Disk | None = None) -> None:
        """Create `path`. Raises UserError when it exists or cannot be written. `disk` None: the real one."""
        self.path = path
        self._clock = clock
        # The capture's clock, set for each event. Its wall and monotonic clocks keep the present difference.
        self._time = ManualClock(clock.wall_ns(), clock.mono_ns())
        self._offset_ns = self._time.wall - self._time.mono
        self._latest_ns = 0
        self._deduplicator = Deduplicator()
        try:
            self._capture = CaptureWriter(path, self._time, disk=disk)
        except FileExistsError:
            raise UserError(f"{path}: exists and is not overwritten; choose another name") from None
        except OSError as error:
            raise UserError(f"{path}: cannot be written: {error.strerror}") from None

    def record(self, frames: list[bytes]) -> None:
        """Record those of `frames` that have not been recorded yet."""
        decoded: list[Envelope | Foreign] = []
        new_frames = self._deduplicator.filter(frames, decoded=decoded)
        now_ns = self._clock.wall_ns()
        for frame, envelope in zip(new_frames, decoded, strict=True):
            self._set_time(min(envelope.wall_ns, now_ns))
            self._capture.append([frame])
        if self._capture.problem is not None:
            # Time must advance without new events too, so that the capture is retried.
            self._set_time(now_ns)
        self._capture.flush()

    def _set_time(self, wall_ns: int) -> None:
        self._latest_ns = max(self._latest_ns, wall_ns)
        self._time.wall = self._latest_ns
        self._time.mono = self._latest_ns - self._offset_ns

    def notice(self) -> str | None:
        """Return a line for the user if recording stopped or resumed since the last call, else None."""
        return self._capture.notice()

    @property
    def is_broken(self) -> bool:
        """Whether recording has stopped for good; see CaptureWriter."""
        return self._capture.is_broken

    @property
    def recorded(self) -> int:
        """Events recorded so far."""
        return self._deduplicator.accepted - self._capture.unrecorded_frames

    @property
    def lost(self) -> int:
        """Events that are known to have been published, and are not in the capture."""
        return self._deduplicator.lost + self._capture.unrecorded_frames

    def close(self) -> None:
        """Sync and close the capture."""
        self._capture.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
