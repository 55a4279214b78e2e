"""Whether a process may still add events to a capture: if not, a run that has no end in it will never have one.

The capture of a run folder grows while a process holds the folder. Any other capture, such as a copy or a
recording, is taken as it is: nothing shows whether its run continues elsewhere.
"""

from __future__ import annotations

import os
from pathlib import Path

from virnucpro_bus.run_lock import CAPTURE_NAME, Evidence, examine_lock, shows_life, signs_of_life

BROKEN_OFF = "the recording ends before its run; the figures are those up to its last event"
"""What to report of a capture that lacks the end of its run and does not grow."""


class Growth:
    """Whether a capture may grow. Made before the capture is read, so that no end is missed. For one thread."""

    def __init__(self, capture: Path) -> None:
        """Examine the folder of `capture`. Never waits."""
        capture = Path(os.path.realpath(capture))  # it may be a link to the capture of a run folder
        self._run_dir = capture.parent
        self._evidence = examine_lock(self._run_dir)[0] if capture.name == CAPTURE_NAME else Evidence.FREE
        self._signs = signs_of_life(self._run_dir)
        self._answer: bool | None = None

    @property
    def is_possible(self) -> bool:
        """Whether a process has held the folder since this was made. The first answer may take five seconds."""
        if self._answer is None:
            self._answer = self._evidence is Evidence.HELD or (
                self._evidence is Evidence.UNKNOWN
                and (signs_of_life(self._run_dir) != self._signs or shows_life(self._run_dir))
            )
        return self._answer
