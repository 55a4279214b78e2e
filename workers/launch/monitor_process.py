"""The monitor process that a run starts, and the messages to the user while it draws on the same terminal.

The terminal stays the launcher's: the launcher reads the keyboard and passes on what is typed. Before Ctrl-\\ or
Ctrl-Z ends or stops the launcher, the monitor restores the terminal.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from time import sleep
from types import FrameType
from typing import TYPE_CHECKING

from virnucpro_bus.system.child_process import self_command, stop
from virnucpro_bus.system.console import EXIT_NOT_RESTORED, say
from virnucpro_bus.system.keyboard import Keyboard, is_interactive

if TYPE_CHECKING:
    from virnucpro_bus.remote.http_address import HttpListen

RESTORE_SECONDS = 1.0
"""Time for the monitor to restore the terminal when it must."""
_STANDARD_INPUT, _STANDARD_ERROR = 0, 2
_POLL_SECONDS = 0.02
_STOPPED_OR_ENDED = os.WSTOPPED | os.WEXITED | os.WNOHANG | os.WNOWAIT
# End synchronized output, reset colours, leave the alternate screen, show the cursor.
_RESTORE_TERMINAL = "\x1b[?2026l\x1b[0m\x1b[?1049l\x1b[?25h"


class MonitorProcess:
    """Draws the run in the launcher's terminal and writes the metrics log. For one thread.

    The run does not depend on it.
    """

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._drawing = False
        """Whether it draws in our terminal now."""
        self._deferred: list[Callable[[], object]] = []
        """What is printed once it no longer draws: the codes that it could not write, then messages."""
        self._keyboard: Keyboard | None = None
        """None if nobody can type, or nothing is drawn."""

    def start(
        self,
        run_dir: Path,
        interval_seconds: float,
        log_file: Path,
        log_rotate_bytes: int | None,
        *,
        draw: bool,
        display: Sequence[str] = (),
        http: HttpListen | None = None,
    ) -> None:
        """Start the process; without `draw` it only writes the log. Raises OSError.

        `display` are options of its command that concern only what is shown. `http` is where it also serves a
        live page; None: nowhere.
        """
        command = self_command(
            "monitor", str(run_dir), "--interval", str(interval_seconds), "--log-file", str(log_file)
        )
        if log_rotate_bytes is not None:
            command += ["--log-rotate", str(log_rotate_bytes)]
        command += ["--group", str(os.getpgrp()), *([] if draw else ["--no-dashboard"]), *display]
        if http is not None:
            command += http.options()
        is_drawing = draw and sys.stdout.isatty()
        has_keys = is_drawing and is_interactive(_STANDARD_INPUT)
        keys = subprocess.PIPE if has_keys else subprocess.DEVNULL
        # A group of its own: Ctrl-C is for the launcher to act on, and the last frame has yet to be drawn then.
        # Off a terminal the standard output is for how the run has ended; plain lines go where notices go.
        is_terminal = sys.stdout.isatty()
        self._process = subprocess.Popen(
            command,
            stdin=keys,
            stdout=None if is_terminal else _STANDARD_ERROR,
            env=None if is_terminal else {**os.environ, "TERM": "dumb"},
            process_group=0,
        )
        self._drawing = is_drawing
        if self._process.stdin is not None:
            os.set_blocking(self._process.stdin.fileno(), False)
            self._keyboard = Keyboard(_STANDARD_INPUT)
        if not self._drawing:
            return
        for number, handler in self._signal_handlers():
            if signal.getsignal(number) is signal.SIG_DFL:
                signal.signal(number, handler)

    def poll(self) -> None:
        """Pass on what was typed."""
        process, keyboard = self._process, self._keyboard
        if process is None or process.stdin is None or keyboard is None:
            return
        if typed := keyboard.typed():
            try:
                os.write(process.stdin.fileno(), typed)
            except OSError:
                pass  # it is stopped, or has just ended

    def has_ended(self) -> bool:
        """Whether it has ended since the last call: true once. Then the terminal is restored."""
        if self._process is None or self._process.poll() is None:
            return False
        self._restore_terminal(self._process)
        self._process = None
        self.print_deferred()
        return True

    def finish(self, meanwhile: Callable[[], object], is_over: Callable[[], bool]) -> None:
        """Let it draw the end of the run until `is_over`, then end it.

        `meanwhile` is called repeatedly, so that the monitor gets answers.
        """
        if self._process is not None:
            while self._process.poll() is None and not is_over():
                meanwhile()
                sleep(_POLL_SECONDS)
            stop(self._process, RESTORE_SECONDS)
            self._restore_terminal(self._process)
            self._process = None

    def report(self, message: str) -> None:
        """Print a message on stderr; with `print_deferred`, if it would damage the picture there now."""
        if self._deferred or (self._drawing and sys.stderr.isatty()):
            self._deferred.append(partial(say, message))
        else:
            say(message)

    def print_deferred(self) -> None:
        """Print what is deferred. To be called last, because it waits for a terminal that does not read."""
        deferred, self._deferred = self._deferred, []
        for write in deferred:
            write()

    def _signal_handlers(self) -> Iterable[tuple[signal.Signals, Callable[[int, FrameType | None], None]]]:
        """Return handlers for the signals that would stop or end us before the terminal is restored."""
        return ((signal.SIGTSTP, self._suspend), (signal.SIGQUIT, self._quit))

    def _suspend(self, number: int, frame: FrameType | None) -> None:
        """Handle Ctrl-Z: stop the monitor, then ourselves; afterwards continue it."""
        process = self._process
        self._clear_screen(signal.SIGTSTP)
        self._apply_default(signal.SIGTSTP)
        # Execution resumes here after SIGCONT.
        signal.signal(signal.SIGTSTP, self._suspend)
        if process is not None:
            process.send_signal(signal.SIGCONT)

    def _quit(self, number: int, frame: FrameType | None) -> None:
        r"""Handle Ctrl-\: end at once, but only after the monitor has restored the terminal."""
        self._clear_screen(signal.SIGTERM)
        self._apply_default(signal.SIGQUIT)

    def _clear_screen(self, number: signal.Signals) -> None:
        """Have the monitor restore the terminal, by a signal that stops or ends it, and give the keyboard back."""
        process = self._process
        if process is not None:
            process.send_signal(number)
            for _ in range(round(RESTORE_SECONDS / _POLL_SECONDS)):
                if os.waitid(os.P_PID, process.pid, _STOPPED_OR_ENDED) is not None:
                    break
                sleep(_POLL_SECONDS)
        if self._keyboard is not None:
            self._keyboard.give_back()

    @staticmethod
    def _apply_default(number: signal.Signals) -> None:
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)

    def _restore_terminal(self, process: subprocess.Popen[bytes]) -> None:
        """Undo what `start` did to terminal, keyboard and signals, for a monitor that has ended."""
        if self._drawing and (process.returncode < 0 or process.returncode == EXIT_NOT_RESTORED):
            # It was killed, possibly in the middle of a picture, or the terminal did not read.
            self._deferred.insert(0, _leave_screen)
        if self._keyboard is not None:
            self._keyboard.give_back()
            self._keyboard = None
        if process.stdin is not None:
            process.stdin.close()
        for number, handler in self._signal_handlers():
            if signal.getsignal(number) == handler:
                signal.signal(number, signal.SIG_DFL)
        self._drawing = False


def _leave_screen() -> None:
    sys.stdout.write(_RESTORE_TERMINAL)
    sys.stdout.flush()
