"""The newest events of a capture, as its hub has decoded them: they need not be read and decoded a second time."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from virnucpro_bus.capture.records import Place
from virnucpro_bus.events.codec import Foreign
from virnucpro_bus.events.envelope import Envelope

MOST_BYTES = 1 << 18
"""How long the records may be whose events are kept. A fold that is further behind reads them."""


class Noted(NamedTuple):
    """Events, and where their records are."""

    envelopes: Sequence[Envelope | Foreign]
    place: Place


class NotedEvents:
    """Events that are appended to a capture and not folded yet. Not thread-safe.

    What is dropped here is not lost: it is in the capture.
    """

    def __init__(self) -> None:
        self._noted: deque[Noted] = deque()
        self.size_bytes = 0
        """The length of their records."""

    def add(self, envelopes: Sequence[Envelope | Foreign], place: Place) -> None:
        """Add the events of the records at `place`, which need not be written yet."""
        if self.size_bytes > MOST_BYTES:
            self.clear()
        self._noted.append(Noted(envelopes, place))
        self.size_bytes += place.stop - place.start

    def begin_at(self, offset: int) -> bool:
        """Whether there are any, and the records of the first ones begin at `offset`."""
        return bool(self._noted) and self._noted[0].place.start == offset

    def take(self, offset: int) -> Iterator[Noted]:
        """Yield and drop the events whose records begin at `offset` and follow each other, as far as written.

        Where the first ones begin elsewhere all are dropped: they were read, or cannot be reached without reading.
        """
        while self._noted and self._noted[0].place.start == offset and self._noted[0].place.is_written:
            noted = self._noted.popleft()
            offset = noted.place.stop
            self.size_bytes -= offset - noted.place.start
            yield noted
        if self._noted and self._noted[0].place.start != offset:
            self.clear()

    def clear(self) -> None:
        """Drop all of them."""
        self._noted.clear()
        self.size_bytes = 0
