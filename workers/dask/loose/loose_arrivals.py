"""Arrivals where Dask decides: the launcher publishes how files end, and steals have the time of that decision."""

from __future__ import annotations

from collections import Counter, deque
from typing import Any

from msgspec.structs import replace

from virnucpro_bus import events as ev
from virnucpro_bus.events.codec import decode, encode
from virnucpro_bus.events.envelope import Envelope, make_envelope
from workers.dask.arrivals import Arrivals, Moment
from workers.dask.loose.stealing_log import steals_in

_HEADER = ("run", "host", "source", "epoch", "seq", "wall_ns", "mono_ns")


class LooseArrivals(Arrivals):
    """Decides on the frames of the topic, and knows when Dask has moved tasks. `follow` alone is thread-safe."""

    def __init__(self, run: str, host: str, refused: Counter[str]) -> None:
        """For the arguments see Arrivals."""
        super().__init__(run, host, refused)
        self._messages: deque[tuple[object, int]] = deque()
        self.keys: dict[tuple[str, int], str] = {}
        """The keys of the tasks that were submitted, by file and attempt; their owner keeps them up to date."""
        self._moved_ns: dict[str, int] = {}
        """By the key of a task: when Dask has moved it last, by our wall clock."""
        self._stolen: dict[tuple[str, int], tuple[str, int, int]] = {}
        """By stream: file, attempt and time of its last steal."""

    def follow(self, message: object, arrived: Moment) -> None:
        """Take a message of Dask's stealing, in whatever thread."""
        self._messages.append((message, arrived.wall_ns))

    def take(self, frame: bytes, arrived: Moment) -> bytes | None:
        """Return a frame of the topic as it goes on the bus; None: it is refused and counted, or left out.

        How a file has ended is left out: the launcher publishes it, once it has accepted that.
        """
        taken = super().take(frame, arrived)
        envelope = None if taken is None else decode(taken)
        if not isinstance(envelope, Envelope):
            return taken
        if isinstance(envelope.event, ev.FileCompleted | ev.FileFailed):
            return None
        if isinstance(envelope.event, ev.WorkStolen):
            return self._at_dasks_time(envelope)
        return taken

    def take_result(self, frame: bytes, arrived: Moment) -> bytes | None:
        """Return the frame of how a file has ended, as the worker has reported it to us; None: it is refused."""
        return super().take(frame, arrived)

    def started(self, source: str, epoch: int) -> tuple[str, int] | None:
        """Return file and attempt that a worker has started last, as far as it has been heard; None: none."""
        stream = self._streams.get((source, epoch))
        return None if stream is None else stream.started

    def stolen_at_ns(self, source: str, epoch: int, file: str, attempt: int) -> int | None:
        """Return the wall-clock time at which a worker has published that it stole this file; None: it has not."""
        found = self._stolen.get((source, epoch))
        return None if found is None or found[:2] != (file, attempt) else found[2]

    def forget(self, file: str, attempt: int) -> None:
        """Forget a task that is over."""
        self._moved_ns.pop(self.keys.pop((file, attempt), ""), None)

    def _at_dasks_time(self, envelope: Any) -> bytes:
        """Return a worker's report of a steal, with the time at which Dask has decided that, if it has said so."""
        while self._messages:
            message, at_ns = self._messages.popleft()
            self._moved_ns.update((steal.key, at_ns) for steal in steals_in(message))
        event = envelope.event
        moved_ns = self._moved_ns.get(self.keys.get((event.file, event.attempt), ""))
        if moved_ns is not None:
            event = replace(event, stolen_at_ns=moved_ns)
        self._stolen[envelope.source, envelope.epoch] = (event.file, event.attempt, event.stolen_at_ns)
        return with_event(envelope, event)


def with_event(envelope: Any, event: ev.Fact) -> bytes:
    """Return the frame of another event under the same number."""
    header = {name: getattr(envelope, name) for name in _HEADER}
    return encode(make_envelope(event, **header))
