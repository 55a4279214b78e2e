"""A capture as an event source: the recorded events at the recorded pace, or as fast as they can be read."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from virnucpro_bus.capture import CaptureReader, Record
from virnucpro_bus.clock import Clock
from virnucpro_bus.fleet import FleetState


class Replay:
    """An EventSource and the Clock that goes with it: it says what time it was. One thread feeds it on."""

    def __init__(self, path: Path, clock: Clock, rate: float | None = 1.0) -> None:
        """`rate` is recorded seconds per second; None is as fast as possible. Raises CaptureError."""
        self._clock = clock
        self._rate = rate
        self.reader = CaptureReader(path)
        self._batches = self.reader.batches()
        self._due: Iterator[Record] = iter(())
        self._next: Record | None = self._pull()
        self._start_ns = self._position_ns = self._next.received_ns if self._next else 0
        self._started_at_ns = clock.mono_ns()

    # Clock: the time in the recording.

    def wall_ns(self) -> int:
        return self._position_ns

    def mono_ns(self) -> int:
        return self._position_ns

    # EventSource.

    @property
    def ended(self) -> bool:
        """Whether the recording is over."""
        return self._next is None

    def receive(self, timeout_seconds: float) -> tuple[list[bytes], int | None]:
        """The frames that are due by now, waiting at most so long for the first. See EventSource."""
        if self._next is None:
            return [], self._position_ns
        if self._rate is None:
            records = [self._next, *self._due]
            self._position_ns = records[-1].received_ns
            self._next = self._pull()
            return [record.frame for record in records], self._position_ns
        deadline_ns = self._clock.mono_ns() + int(timeout_seconds * 1e9)
        due_ns = self._started_at_ns + int((self._next.received_ns - self._start_ns) / self._rate)
        wait_ns = min(due_ns, deadline_ns) - self._clock.mono_ns()
        if wait_ns > 0:
            time.sleep(wait_ns / 1e9)
        elapsed_ns = int((self._clock.mono_ns() - self._started_at_ns) * self._rate)
        self._position_ns = max(self._position_ns, self._start_ns + elapsed_ns)
        frames = []
        while self._next is not None and self._next.received_ns <= self._position_ns:
            frames.append(self._next.frame)
            last_ns = self._next.received_ns
            self._next = self._pull()
            if self._next is None:
                self._position_ns = last_ns
        return frames, self._position_ns

    def _pull(self) -> Record | None:
        """The next record, None at the end; a piece of the file without any (damage) is passed over."""
        while (record := next(self._due, None)) is None:
            batch = next(self._batches, None)
            if batch is None:
                return None
            self._due = iter(batch)
        return record

    def close(self) -> None:
        """Nothing is held open between reads that would need it."""


def fold_capture(path: Path, clock: Clock) -> FleetState:
    """The state at the end of a capture. Raises CaptureError."""
    replay = Replay(path, clock, rate=None)
    fleet = FleetState(replay)
    while not replay.ended:
        fleet.feed(*replay.receive(0.0))
    return fleet
