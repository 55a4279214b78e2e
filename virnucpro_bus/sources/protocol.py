"""What every source of frames offers."""

from __future__ import annotations

from typing import Protocol


class EventSource(Protocol):
    """Where a viewer's frames come from: a live bus or a capture."""

    def receive(self, timeout_seconds: float) -> tuple[list[bytes], int | None]:
        """Frames that are due, waiting at most so long for the first.

        The number is when they came, on the clock that the viewer goes by; None when they are history.
        """
        ...

    @property
    def ended(self) -> bool:
        """Whether nothing more will come."""
        ...

    def close(self) -> None: ...
