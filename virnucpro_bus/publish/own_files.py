"""Files that a worker has open: started where the body of `with` or `for` begins, ended as it ends, and timed."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeVar

from virnucpro_bus.clock import NANOSECONDS, Clock

if TYPE_CHECKING:
    import os

    from virnucpro_bus.publish.publisher import Publisher

Path = TypeVar("Path", bound="str | os.PathLike[str]")
LEFT = "the loop was left while the file was in progress"


class OpenFile:
    """A file in progress, from the beginning of a `with` block to its end. For one thread."""

    def __init__(self, bus: Publisher, clock: Clock, file: str | os.PathLike[str], attempt: int = 0) -> None:
        self.file = file
        """As it was passed."""
        self.sequences = 0
        """How many are done; to be set before the end, unless `progress` was called with it."""
        self._bus = bus
        self._clock = clock
        self._attempt = attempt
        self._started_ns = 0

    def progress(self, sequences: int, total: int | None = None) -> None:
        """Report that `sequences` of the file are done so far, of `total` if known."""
        self.sequences = sequences
        self._bus.file_progress(self.file, sequences, total=total, attempt=self._attempt)

    def __enter__(self) -> Self:
        self._started_ns = self._clock.mono_ns()
        self._bus.file_started(self.file, attempt=self._attempt)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Report the file as completed, or as failed with the exception that ends the block, which goes on."""
        self._end(error)

    def _end(self, failure: str | BaseException | None) -> None:
        seconds, attempt = (self._clock.mono_ns() - self._started_ns) / NANOSECONDS, self._attempt
        if failure is None:
            self._bus.file_completed(
                self.file, sequences=self.sequences, duration_seconds=seconds, attempt=attempt
            )
        else:
            self._bus.file_failed(self.file, failure, duration_seconds=seconds, attempt=attempt)


class OpenFiles:
    """The files that the threads of a worker have open. Safe to use from several threads."""

    def __init__(self, bus: Publisher, clock: Clock) -> None:
        self._bus = bus
        self._clock = clock
        self._of_thread = threading.local()

    def open(self, file: str | os.PathLike[str], attempt: int = 0) -> OpenFile:
        """Return a file for a `with` block, which from now on is this thread's current one."""
        opened = self._of_thread.current = OpenFile(self._bus, self._clock, file, attempt)
        return opened

    @property
    def current(self) -> OpenFile:
        """The file that this thread has opened last; before the first one, a file that is never reported."""
        found: OpenFile | None = getattr(self._of_thread, "current", None)
        return found or OpenFile(self._bus, self._clock, "")

    def each(self, files: Iterable[Path]) -> Iterator[Path]:
        """Yield `files`. Each is open until the next is asked for.

        An iterator is not told why its loop was left, so the file is reported as failed then.
        """
        for file in files:
            opened = self.open(file)
            opened.__enter__()
            try:
                yield file
            except GeneratorExit:
                opened._end(LEFT)
                raise
            opened._end(None)
