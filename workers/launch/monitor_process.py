"""The monitor process that a run has beside it, and what the user is told while it draws on the same terminal.

The terminal stays the run's: it reads the keyboard and passes on what is typed, and what ends or stops the run at
once (Ctrl-\\, Ctrl-Z) first has the picture taken off.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from time import sleep
from types import FrameType

from virnucpro_bus.clock import NANOSECONDS, Clock
from virnucpro_bus.system.child_process import self_command, stop
from virnucpro_bus.system.console import say
from virnucpro_bus.system.keyboard import Keyboard, is_interactive

FAREWELL_SECONDS = 3.0
HURRIED_SECONDS = 0.5
STOP_SECONDS = 1.0
"""So long Ctrl-Z and Ctrl-\\ wait for the picture to be taken off the terminal."""
_STANDARD_INPUT = 0
_LOOK_SECONDS = 0.02
_STOPPED_OR_GONE = os.WSTOPPED | os.WEXITED | os.WNOHANG | os.WNOWAIT
_RESTORED_TERMINAL = "\x1b[?2026l\x1b[0m\x1b[?1049l\x1b[?25h"  # draw at once, plain, main screen, cursor on


class MonitorProcess:
    """Draws the run in our terminal and writes the metrics log; the run does not need it. One thread."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._process: subprocess.Popen[bytes] | None = None
        self._drawing = False
        """Whether it draws in our terminal now."""
        self._untold: list[str] = []
        self._keyboard: Keyboard | None = None
        """None: there is none, or nothing is drawn."""

    def start(
        self, run_dir: Path, interval_seconds: float, log_file: Path, log_rotate_bytes: int | None, *, draw: bool
    ) -> None:
        """Start it; with `draw` False it only writes the log."""
        command = self_command(
            "monitor", str(run_dir), "--interval", str(interval_seconds), "--log-file", str(log_file)
        )
        if log_rotate_bytes is not None:
            command += ["--log-rotate", str(log_rotate_bytes)]
        command += ["--group", str(os.getpgrp())] if draw else ["--headless"]
        self._drawing = draw and sys.stdout.isatty()
        has_keys = self._drawing and is_interactive(_STANDARD_INPUT)
        keys = subprocess.PIPE if has_keys else subprocess.DEVNULL
        # A group of its own: Ctrl-C is for the launcher to act on, and the last frame is still to be drawn then.
        self._process = subprocess.Popen(command, stdin=keys, process_group=0)
        if self._process.stdin is not None:
            os.set_blocking(self._process.stdin.fileno(), False)
            self._keyboard = Keyboard(_STANDARD_INPUT)
        if not self._drawing:
            return
        for number, action in self._interruptions():
            if signal.getsignal(number) is signal.SIG_DFL:
                signal.signal(number, action)

    def _interruptions(self) -> Iterable[tuple[signal.Signals, Callable[[int, FrameType | None], None]]]:
        """What the kernel would do at once, and the terminal would not be given back."""
        return ((signal.SIGTSTP, self._suspend), (signal.SIGQUIT, self._quit))

    def poll(self) -> None:
        """Pass on what was typed."""
        process, keyboard = self._process, self._keyboard
        if process is None or process.stdin is None or keyboard is None:
            return
        if typed := keyboard.typed():
            try:
                os.write(process.stdin.fileno(), typed)
            except OSError:
                pass  # it stands still, or has just ended

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
                    self._process.wait(_LOOK_SECONDS)
                except subprocess.TimeoutExpired:
                    continue
            stop(self._process, patience_seconds)
            self._give_terminal_back(self._process)
            self._process = None
        for message in self._untold:
            say(message)
        self._untold.clear()

    def report(self, message: str) -> None:
        """Tell the user on stderr: now, or, when that would tear the picture on the same terminal, afterwards."""
        if self._drawing and sys.stderr.isatty():
            self._untold.append(message)
        else:
            say(message)

    def _suspend(self, number: int, frame: FrameType | None) -> None:
        """Ctrl-Z: before we stop it has to, for the terminal is the shell's then. It goes on when we do."""
        process = self._process
        self._ask_off(signal.SIGTSTP)
        self._act_as_usual(signal.SIGTSTP)
        # Here we go on.
        signal.signal(signal.SIGTSTP, self._suspend)
        if process is not None:
            process.send_signal(signal.SIGCONT)

    def _quit(self, number: int, frame: FrameType | None) -> None:
        """Ctrl-\\: we end at once, but not with a picture on the terminal."""
        self._ask_off(signal.SIGTERM)
        self._act_as_usual(signal.SIGQUIT)

    def _ask_off(self, number: signal.Signals) -> None:
        """Have it take the picture off, by a signal that stops or ends it, and wait; give the keyboard back."""
        process = self._process
        if process is not None:
            process.send_signal(number)
            for _ in range(round(STOP_SECONDS / _LOOK_SECONDS)):
                if os.waitid(os.P_PID, process.pid, _STOPPED_OR_GONE) is not None:
                    break
                sleep(_LOOK_SECONDS)
        if self._keyboard is not None:
            self._keyboard.give_back()

    @staticmethod
    def _act_as_usual(number: signal.Signals) -> None:
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)

    def _give_terminal_back(self, process: subprocess.Popen[bytes]) -> None:
        if self._drawing and process.returncode < 0:
            # Killed in the middle of a picture, it could not do so itself.
            sys.stdout.write(_RESTORED_TERMINAL)
            sys.stdout.flush()
        if self._keyboard is not None:
            self._keyboard.give_back()
            self._keyboard = None
        if process.stdin is not None:
            process.stdin.close()
        for number, action in self._interruptions():
            if signal.getsignal(number) == action:
                signal.signal(number, signal.SIG_DFL)
        self._drawing = False
