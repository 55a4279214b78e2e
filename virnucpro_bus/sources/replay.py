"""A capture as an event source: the recorded events at the recorded pace, or as fast as they can be read.

It can be paused, run faster or slower, and moved. Moved forward it hands out at once what lies between; moved back
it begins again at the start and hands out at once what comes before, so that a fold is right wherever it stands.
"""

from __future__ import annotations

import time
from bisect import bisect_right
from operator import attrgetter
from pathlib import Path

from virnucpro_bus.capture.reader import CaptureReader
from virnucpro_bus.capture.records import Record
from virnucpro_bus.clock import NANOSECONDS, Clock

SLOWEST_RATE = 0.001
FASTEST_RATE = 1e6
LOOP_REST_NS = 2 * NANOSECONDS
"""How long, in real time, a looping replay stands at its end."""
_NEVER_NS = 1 << 64
_received_ns = attrgetter("received_ns")


class Replay:
    """An EventSource and the Clock that goes with it: it says what time it was. One thread feeds it on."""

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
    ) -> None:
        """`rate` is recorded seconds per second; None is as fast as possible. Raises CaptureError.

        `from_seconds` and `until_seconds` count from the start of the recording; until None is its end. What comes
        before `from_seconds` is handed out at once. `loop` begins again after the end.
        """
        self._clock = clock
        self.rate = rate or 1.0
        self.paused = paused
        self.starts = 0
        """How often it has begun; what was handed out before the last time is void."""
        self.reader = CaptureReader(path)
        self._tape = _Tape(self.reader)
        self._start_ns = self._tape.next_ns or 0
        self._from_ns = _NEVER_NS if rate is None else self._start_ns + int(from_seconds * NANOSECONDS)
        self._until_ns = _NEVER_NS if until_seconds is None else self._start_ns + int(until_seconds * NANOSECONDS)
        self._loop = loop and self._tape.next_ns is not None
        self._rest_until_ns = 0
        self._position_ns = self._target_ns = self._anchor_ns = self._anchored_at_ns = 0
        self._begin(self._from_ns)

    # Clock: the time in the recording.

    def wall_ns(self) -> int:
        return self._position_ns

    def mono_ns(self) -> int:
        return self._position_ns

    # EventSource.

    @property
    def ended(self) -> bool:
        """Whether the recording is over."""
        return self._at_end and not self._loop

    def receive(self, timeout_seconds: float) -> tuple[list[bytes], int | None]:
        """The frames that are due by now, waiting at most so long for the first. See EventSource."""
        if self._at_end:
            return self._stand_at_end(timeout_seconds), self._position_ns
        if self.catching_up:
            return self._catch_up()
        if self.paused:
            due = self._take(self._position_ns)
            if not due:
                time.sleep(timeout_seconds)
            return [record.frame for record in due], self._position_ns
        self._wait_for_next(timeout_seconds)
        elapsed_ns = int((self._clock.mono_ns() - self._anchored_at_ns) * self.rate)
        self._position_ns = max(self._position_ns, self._anchor_ns + elapsed_ns)
        return [record.frame for record in self._take(self._position_ns)], self._position_ns

    def close(self) -> None:
        """Nothing is held open between reads that would need it."""

    # What a viewer may do to it.

    def pause(self) -> None:
        """Stand still, or go on again."""
        self._anchor()
        self.paused = not self.paused

    def change_rate(self, factor: float) -> None:
        """Run so many times as fast as before, within SLOWEST_RATE and FASTEST_RATE."""
        self._anchor()
        self.rate = min(max(self.rate * factor, SLOWEST_RATE), FASTEST_RATE)

    def skip(self, seconds: float) -> None:
        """Move forward, or back when negative, by so many recorded seconds."""
        here_ns = self._target_ns if self.catching_up else self._position_ns
        target_ns = max(self._start_ns, here_ns + int(seconds * NANOSECONDS))
        if seconds < 0:
            self._begin(target_ns)
        else:
            self._target_ns = target_ns

    @property
    def catching_up(self) -> bool:
        """Whether it hands out at once what comes before the place to which it was moved."""
        return self._position_ns < self._target_ns and not self._at_end

    # Inside.

    @property
    def _at_end(self) -> bool:
        return self._tape.next_ns is None or self._tape.next_ns > self._until_ns

    def _begin(self, target_ns: int) -> None:
        """Back to the start, and from there at once to `target_ns`."""
        if self.starts:
            self._tape = _Tape(self.reader)
        self.starts += 1
        self._position_ns = self._start_ns
        self._target_ns = target_ns
        self._anchor()

    def _anchor(self) -> None:
        """From here on the position is counted from where it is now."""
        self._anchor_ns = self._position_ns
        self._anchored_at_ns = self._clock.mono_ns()

    def _wait_for_next(self, timeout_seconds: float) -> None:
        now_ns = self._clock.mono_ns()
        if self._tape.next_ns is not None:
            due_ns = self._anchored_at_ns + int((self._tape.next_ns - self._anchor_ns) / self.rate)
            time.sleep(max(0.0, min((due_ns - now_ns) / NANOSECONDS, timeout_seconds)))

    def _catch_up(self) -> tuple[list[bytes], int]:
        records = self._take(self._target_ns)
        received_ns = records[-1].received_ns if records else self._position_ns
        if not self._at_end and self._tape.next_ns is not None and self._tape.next_ns > self._target_ns:
            self._position_ns = self._target_ns
            self._anchor()
        return [record.frame for record in records], received_ns

    def _take(self, limit_ns: int) -> list[Record]:
        records = self._tape.take(min(limit_ns, self._until_ns))
        if records and (self.catching_up or self._at_end):
            self._position_ns = records[-1].received_ns
        if self._at_end:
            if self._tape.next_ns is not None:
                self._position_ns = self._until_ns
            self._rest_until_ns = self._clock.mono_ns() + LOOP_REST_NS
        return records

    def _stand_at_end(self, timeout_seconds: float) -> list[bytes]:
        if self._loop:
            left_ns = self._rest_until_ns - self._clock.mono_ns()
            if self.paused:
                time.sleep(timeout_seconds)
            elif left_ns > 0:
                time.sleep(min(left_ns / NANOSECONDS, timeout_seconds))
            else:
                self._begin(self._from_ns)
        return []


class _Tape:
    """The records of a capture from its start on, taken piece by piece."""

    def __init__(self, reader: CaptureReader) -> None:
        self.next_ns: int | None = None
        """When the next record was received; None at the end."""
        self._batches = reader.batches()
        self._batch: list[Record] = []
        self._at = 0
        self._look()

    def take(self, limit_ns: int) -> list[Record]:
        """Records up to the time `limit_ns`, some at least if there are any."""
        stop = bisect_right(self._batch, limit_ns, lo=self._at, key=_received_ns)
        taken = self._batch[self._at : stop]
        self._at = stop
        self._look()
        return taken

    def _look(self) -> None:
        """A piece of the file without any record (damage) is passed over."""
        while self._at >= len(self._batch):
            batch = next(self._batches, None)
            if batch is None:
                self.next_ns = None
                return
            self._batch, self._at = batch, 0
        self.next_ns = self._batch[self._at].received_ns
