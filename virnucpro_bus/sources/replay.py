"""A capture as an event source: the recorded events at the recorded pace, or as fast as they can be read.

A replay can be paused, run faster or slower, and moved. Moved forward, it returns at once the events in between;
moved back, it starts over and returns at once the events before its position. So a fold is right at any position.
"""

from __future__ import annotations

import time
from bisect import bisect_right
from operator import attrgetter
from pathlib import Path

from virnucpro_bus.capture.growth import Growth
from virnucpro_bus.capture.reader import CaptureReader
from virnucpro_bus.capture.records import Record
from virnucpro_bus.clock import NANOSECONDS, Clock

SLOWEST_RATE = 0.001
FASTEST_RATE = 1e6
LOOP_PAUSE_NS = 2 * NANOSECONDS
"""How long a looping replay stays at its end, in real time."""
_NEVER_NS = 1 << 64
_received_ns = attrgetter("received_ns")


class Replay:
    """An EventSource, and the Clock of its recording: it shows the recorded time. Only one thread may receive."""

    def __init__(
        self,
        path: Path,
        clock: Clock,
        rate: float | None = 1.0,
        *,
        from_seconds: float = 0.0,
        until_seconds: float | None = None,
        loop: bool = False,
        paused: bool = False,
        may_grow: bool | None = None,
    ) -> None:
        """`rate` is recorded seconds per second; None is as fast as possible. Raises CaptureError.

        `from_seconds` and `until_seconds` count from the start of the recording; until None is its end. Events
        before `from_seconds` are returned at once. `loop` starts over after the end. `may_grow`: whether a
        process may still add to the capture; None: to be found out.
        """
        self.rate = rate or 1.0
        self.paused = paused
        self.starts = 0
        """How often it has started; what it returned before the last start is void."""
        self._growth = Growth(path)
        self._may_grow = may_grow
        self.reader = CaptureReader(path)
        self._clock = clock
        self._cursor = _RecordCursor(self.reader)
        self._start_ns = self._cursor.next_ns or 0
        self._from_ns = _NEVER_NS if rate is None else self._start_ns + int(from_seconds * NANOSECONDS)
        self._until_ns = _NEVER_NS if until_seconds is None else self._start_ns + int(until_seconds * NANOSECONDS)
        self._loop = loop and self._cursor.next_ns is not None
        self._loop_at_ns = 0
        """When a looping replay at its end starts over, on `clock`."""
        self._position_ns = self._target_ns = self._anchor_ns = self._anchored_at_ns = 0
        self._start(self._from_ns)

    @property
    def start_ns(self) -> int:
        """When the first record was received; 0: there are none."""
        return self._start_ns

    # Clock: the time in the recording.

    def wall_ns(self) -> int:
        """Return the position in the recording as wall-clock time, in ns."""
        return self._position_ns

    def mono_ns(self) -> int:
        """Return the same: a recording has one clock."""
        return self._position_ns

    # EventSource.

    @property
    def ended(self) -> bool:
        """Whether the recording is over."""
        return self._at_end and not self._loop

    @property
    def is_exhausted(self) -> bool:
        """Whether everything that is recorded was returned since the last start, to the end of the capture."""
        return self._cursor.next_ns is None

    def may_continue(self) -> bool:
        """Whether the run may have gone on after the last event. The first answer may take five seconds."""
        return self._growth.is_possible if self._may_grow is None else self._may_grow

    @property
    def hub_was_killed(self) -> bool:
        """Whether the hub that recorded it did not end in order, as its run folder shows."""
        return self._growth.hub_was_killed

    @property
    def is_of_run_folder(self) -> bool:
        """Whether the capture is that of a run folder, not a copy or a recording."""
        return self._growth.is_of_run_folder

    def receive(self, timeout_seconds: float) -> tuple[list[bytes], list[int]]:
        """Return the frames that are due by now, waiting at most so long for the first. See EventSource."""
        due = self._due(timeout_seconds)
        return [record.frame for record in due], [record.received_ns for record in due]

    def close(self) -> None:
        """Do nothing: the file is open only while it is read."""

    # Controls of a viewer.

    def pause(self) -> None:
        """Pause, or resume when paused."""
        self._anchor()
        self.paused = not self.paused

    def change_rate(self, factor: float) -> None:
        """Multiply the rate by `factor`, within SLOWEST_RATE and FASTEST_RATE."""
        self._anchor()
        self.rate = min(max(self.rate * factor, SLOWEST_RATE), FASTEST_RATE)

    def skip(self, seconds: float) -> None:
        """Move forward, or back when negative, by so many recorded seconds."""
        here_ns = self._target_ns if self.catching_up else self._position_ns
        target_ns = max(self._start_ns, here_ns + int(seconds * NANOSECONDS))
        if seconds < 0:
            self._start(target_ns)
        else:
            self._target_ns = target_ns

    @property
    def catching_up(self) -> bool:
        """Whether events before the position that it was moved to are still to be returned, at once."""
        return self._position_ns < self._target_ns and not self._at_end

    # Internals.

    @property
    def _at_end(self) -> bool:
        return self._cursor.next_ns is None or self._cursor.next_ns > self._until_ns

    def _start(self, target_ns: int) -> None:
        """Go to the start of the recording, and from there at once to `target_ns`."""
        if self.starts:
            self._cursor = _RecordCursor(self.reader)
        self.starts += 1
        self._position_ns = self._start_ns
        self._target_ns = target_ns
        self._anchor()

    def _anchor(self) -> None:
        """Count the position from where it is now on, for a change of pace."""
        self._anchor_ns = self._position_ns
        self._anchored_at_ns = self._clock.mono_ns()

    def _due(self, timeout_seconds: float) -> list[Record]:
        """Take the records that are due by now, waiting at most so long for the first."""
        if self._at_end:
            self._wait_at_end(timeout_seconds)
            return []
        if self.catching_up:
            return self._catch_up()
        if not self.paused:
            self._wait_for_next(timeout_seconds)
            elapsed_ns = int((self._clock.mono_ns() - self._anchored_at_ns) * self.rate)
            self._position_ns = max(self._position_ns, self._anchor_ns + elapsed_ns)
        due = self._take_until(self._position_ns)
        if self.paused and not due:
            time.sleep(timeout_seconds)
        return due

    def _wait_for_next(self, timeout_seconds: float) -> None:
        now_ns = self._clock.mono_ns()
        if self._cursor.next_ns is not None:
            due_ns = self._anchored_at_ns + int((self._cursor.next_ns - self._anchor_ns) / self.rate)
            time.sleep(max(0.0, min((due_ns - now_ns) / NANOSECONDS, timeout_seconds)))

    def _wait_at_end(self, timeout_seconds: float) -> None:
        """Wait until a looping replay starts over, at most `timeout_seconds`; without a loop return at once."""
        if not self._loop:
            return
        remaining_ns = self._loop_at_ns - self._clock.mono_ns()
        if self.paused:
            time.sleep(timeout_seconds)
        elif remaining_ns > 0:
            time.sleep(min(remaining_ns / NANOSECONDS, timeout_seconds))
        else:
            self._start(self._from_ns)

    def _catch_up(self) -> list[Record]:
        records = self._take_until(self._target_ns)
        if not self._at_end and self._cursor.next_ns is not None and self._cursor.next_ns > self._target_ns:
            self._position_ns = self._target_ns
            self._anchor()
        return records

    def _take_until(self, limit_ns: int) -> list[Record]:
        """Take records up to `limit_ns`; moves the position while catching up, and at the end."""
        records = self._cursor.take_until(min(limit_ns, self._until_ns))
        if records and (self.catching_up or self._at_end):
            self._position_ns = records[-1].received_ns
        if self._at_end:
            if self._cursor.next_ns is not None:
                self._position_ns = self._until_ns
            self._loop_at_ns = self._clock.mono_ns() + LOOP_PAUSE_NS
        return records


class _RecordCursor:
    """The records of a capture from its start, read batch by batch."""

    def __init__(self, reader: CaptureReader) -> None:
        self.next_ns: int | None = None
        """When the next record was received; None at the end."""
        self._batches = reader.batches()
        self._batch: list[Record] = []
        self._index = 0
        self._read_next_batch()

    def take_until(self, limit_ns: int) -> list[Record]:
        """Take records received up to `limit_ns`: at least one if there is one, but not always all."""
        stop = bisect_right(self._batch, limit_ns, lo=self._index, key=_received_ns)
        taken = self._batch[self._index : stop]
        self._index = stop
        self._read_next_batch()
        return taken

    def _read_next_batch(self) -> None:
        """Read on when the batch is used up, past batches that damage has left without a record."""
        while self._index >= len(self._batch):
            batch = next(self._batches, None)
            if batch is None:
                self.next_ns = None
                return
            self._batch, self._index = batch, 0
        self.next_ns = self._batch[self._index].received_ns
