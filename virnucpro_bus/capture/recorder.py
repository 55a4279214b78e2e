"""From any bus into a capture of one's own: what was said before and what is said now, each event once."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Self

from virnucpro_bus.capture.writer import CaptureWriter
from virnucpro_bus.clock import Clock, ManualClock
from virnucpro_bus.errors import UserError
from virnucpro_bus.events.codec import decode_all
from virnucpro_bus.events.dedup import Deduplicator


class Recorder:
    """Writes a new capture. One thread.

    History comes all at once, so an event is recorded as received when it was said, as far as that is possible:
    not later than now, and not before the event that is recorded before it. When the disk is full recording stops,
    and goes on when there is room; see CaptureWriter.
    """

    def __init__(self, path: Path, clock: Clock) -> None:
        """Create `path`. Raises UserError when it is there already or cannot be written."""
        self.path = path
        self._clock = clock
        # What the capture takes for now; its two clocks stand to each other as ours do at this moment.
        self._time = ManualClock(clock.wall_ns(), clock.mono_ns())
        self._offset_ns = self._time.wall - self._time.mono
        self._latest_ns = 0
        self._sieve = Deduplicator()
        try:
            self._capture = CaptureWriter(path, self._time)
        except FileExistsError:
            raise UserError(f"{path}: is there already and is not overwritten; choose another name") from None
        except OSError as error:
            raise UserError(f"{path}: cannot be written: {error.strerror}") from None

    def record(self, frames: list[bytes]) -> None:
        """Record those of `frames` that have not been recorded yet."""
        fresh = self._sieve.filter(frames)
        now_ns = self._clock.wall_ns()
        for frame, envelope in zip(fresh, decode_all(fresh, Counter()), strict=True):
            self._set_time(min(envelope.wall_ns, now_ns))
            self._capture.append([frame])
        if self._capture.problem is not None:
            # Where nobody says anything time must go on too, so that it is tried again.
            self._set_time(now_ns)
        self._capture.flush()

    def _set_time(self, wall_ns: int) -> None:
        self._latest_ns = max(self._latest_ns, wall_ns)
        self._time.wall = self._latest_ns
        self._time.mono = self._latest_ns - self._offset_ns

    def notice(self) -> str | None:
        """One line for the user when recording has stopped or goes on since the last call; None: nothing new."""
        return self._capture.notice()

    @property
    def recorded(self) -> int:
        """Events recorded so far."""
        return self._sieve.accepted - self._capture.unrecorded_frames

    @property
    def lost(self) -> int:
        """Events that are known to have been published and are not in the capture."""
        return self._sieve.lost + self._capture.unrecorded_frames

    def close(self) -> None:
        """Sync and close the capture."""
        self._capture.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
