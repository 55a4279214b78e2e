"""A past run that no capture holds."""

from __future__ import annotations

from collections.abc import Iterable

from workers.resume.journal import PastRun


class RecordedRun(PastRun):
    """A past run of the frames that it was given, which it keeps as a capture would."""

    def __init__(self) -> None:
        frames: list[bytes] = []
        super().__init__(lambda: frames)
        self._frames = frames

    def apply(self, frames: Iterable[bytes]) -> None:
        """Fold frames in, and keep them."""
        given = list(frames)
        self._frames += given
        super().apply(given)
