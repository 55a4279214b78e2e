"""Whether more events of a run may come: if not, a run that has no end in its capture will never have one.

The capture of a run folder grows while a process holds the folder. Of any other capture, such as a copy or a
recording, nothing shows whether its run continued: it is taken for what it was at the last event.
"""

from __future__ import annotations

import os
from pathlib import Path

from virnucpro_bus.run_folder import announced_addresses
from virnucpro_bus.run_lock import CAPTURE_NAME, Evidence, examine_lock, shows_life, signs_of_life

BROKEN_OFF = "the run was broken off; the figures are those up to its last event"
"""What to report of the capture of a run folder that lacks the end of its run and does not grow."""
CUT_SHORT = "the recording ends before its run; the figures are those of its last event"
"""What to report of any other capture that lacks the end of its run."""


class Growth:
    """Whether a capture may grow. Made before the capture is read, so that no end is missed. For one thread."""

    def __init__(self, capture: Path) -> None:
        """Examine the folder of `capture`. Never waits."""
        capture = Path(os.path.realpath(capture))  # it may be a link to the capture of a run folder
        self._run_dir = capture.parent
        self.is_of_run_folder = capture.name == CAPTURE_NAME
        """Whether it is the capture of a run folder: only of that it is known when its run is broken off."""
        self._evidence = examine_lock(self._run_dir)[0]
        self._signs = signs_of_life(self._run_dir)
        self._answer: bool | None = None

    @property
    def is_possible(self) -> bool:
        """Whether a process has held the folder since this was made. The first answer may take five seconds.

        True for a capture that is not of a run folder: it may have been copied or recorded while the run went on.
        """
        if self._answer is None:
            self._answer = (
                not self.is_of_run_folder
                or self._evidence is Evidence.HELD
                or (
                    self._evidence is Evidence.UNKNOWN
                    and (signs_of_life(self._run_dir) != self._signs or shows_life(self._run_dir))
                )
            )
        return self._answer

    @property
    def hub_was_killed(self) -> bool:
        """Whether the last hub of the run folder has left its addresses there: it did not end in order."""
        return self.is_of_run_folder and announced_addresses(self._run_dir) is not None and not self.is_possible
