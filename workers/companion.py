"""The monitor process that a run has beside it, and what the user is told while it draws on the same terminal."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from virnucpro_bus.clock import NANOSECONDS, Clock
from virnucpro_bus.processes import own_command, stop
from virnucpro_bus.text import visible

FAREWELL_SECONDS = 3.0
HURRIED_SECONDS = 0.5
_RESTORED_TERMINAL = "\x1b[?2026l\x1b[0m\x1b[?1049l\x1b[?25h"  # draw at once, plain, main screen, cursor on


class Companion:
    """Draws the run in our terminal and writes the metrics log; the run does not need it. One thread."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._process: subprocess.Popen[bytes] | None = None
        self._drawing = False
        """Whether it draws in our terminal now."""
        self._untold: list[str] = []

    def start(
        self, run_dir: Path, interval_seconds: float, log_file: Path, log_rotate_bytes: int | None, *, draw: bool
    ) -> None:
        """Start it; with `draw` False it only writes the log."""
        command = own_command(
            "monitor", str(run_dir), "--interval", str(interval_seconds), "--log-file", str(log_file)
        )
        if log_rotate_bytes is not None:
            command += ["--log-rotate", str(log_rotate_bytes)]
        # A group of its own: Ctrl-C is for the launcher to act on, and the last frame is still to be drawn then.
        self._process = subprocess.Popen(
            command if draw else [*command, "--headless"], stdin=subprocess.DEVNULL, process_group=0
        )
        self._drawing = draw and sys.stdout.isatty()

    def has_ended(self) -> bool:
        """Whether it has ended since last asked; true once. The terminal is given back then."""
        if self._process is None or self._process.poll() is None:
            return False
        self._give_terminal_back(self._process)
        self._process = None
        return True

    def finish(self, meanwhile: Callable[[], object], *, hurried: bool) -> None:
        """Let it draw the end of the run, for 3 s at most; then tell what could not be told before.

        `meanwhile` is called all the time, so that it gets the answers it asks for. `hurried`: half a second.
        """
        patience_seconds = HURRIED_SECONDS if hurried else FAREWELL_SECONDS
        if self._process is not None:
            deadline_ns = self._clock.mono_ns() + int(patience_seconds * NANOSECONDS)
            while self._process.poll() is None and self._clock.mono_ns() < deadline_ns:
                meanwhile()
                try:
                    self._process.wait(0.02)
                except subprocess.TimeoutExpired:
                    continue
            stop(self._process, patience_seconds)
            self._give_terminal_back(self._process)
            self._process = None
        for message in self._untold:
            say(message)
        self._untold.clear()

    def tell(self, message: str) -> None:
        """Tell the user on stderr: now, or, when that would tear the picture on the same terminal, afterwards."""
        if self._drawing and sys.stderr.isatty():
            self._untold.append(message)
        else:
            say(message)

    def _give_terminal_back(self, process: subprocess.Popen[bytes]) -> None:
        if self._drawing and process.returncode < 0:
            # Killed in the middle of a picture, it could not do so itself.
            sys.stdout.write(_RESTORED_TERMINAL)
            sys.stdout.flush()
        self._drawing = False


def say(message: str) -> None:
    """One line on stderr, safe for a terminal."""
    print(f"virnucpro-bus: {visible(message)}", file=sys.stderr)
