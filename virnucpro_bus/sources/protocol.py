"""The protocol that every source of frames implements."""

from __future__ import annotations

from typing import Protocol


class EventSource(Protocol):
    """Where a viewer's frames come from: a live bus or a capture."""

    def receive(self, timeout_seconds: float) -> tuple[list[bytes], int | None]:
        """Return the frames that are due, waiting at most `timeout_seconds` for the first.

        The number is the time of their arrival in ns on the viewer's monotonic clock; None when they are history.
        """
        ...

    @property
    def ended(self) -> bool:
        """Whether no more frames will come."""
        ...

    def close(self) -> None:
        """Release sockets and files."""
        ...
