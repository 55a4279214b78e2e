"""The protocol that every source of frames implements."""

from __future__ import annotations

from typing import Protocol


class EventSource(Protocol):
    """Where a viewer's frames come from: a live bus or a capture."""

    def receive(self, timeout_seconds: float) -> tuple[list[bytes], int | list[int]]:
        """Return the frames that are due, waiting at most `timeout_seconds` for the first.

        With them, when each was received, or all of them: in ns by the clock of the recording. That is the replay,
        or the source's RecordedClock.
        """
        ...

    @property
    def ended(self) -> bool:
        """Whether no more frames will come."""
        ...

    def close(self) -> None:
        """Release sockets and files."""
        ...
