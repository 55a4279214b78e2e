"""A terminal of a given size: what a program draws on it, as a person sees it."""

from __future__ import annotations

import errno
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Callable
from functools import partial

import pyte

from tests.support.lab import COMMAND, WAIT_SECONDS, Lab

CTRL_C = b"\x03"
# pyte does not know the alternate screen, so what is drawn there is kept apart here.
_OTHER_SCREEN = re.compile(rb"(\x1b\[\?1049[hl])")


def shown_page(terminal: Terminal) -> str:
    """Which page of a dashboard is shown, such as "1/3"; empty where none is."""
    found = re.search(r"page (\d+/\d+)", terminal.picture())
    return found[1] if found and terminal.full_screen else ""


class Terminal:
    """Runs a `virnucpro-bus` command, or another program, as the foreground job of its own pseudo-terminal."""

    def __init__(
        self,
        lab: Lab,
        *arguments: str | os.PathLike[str],
        program: str = COMMAND,
        columns: int = 120,
        lines: int = 30,
        **environment: str,
    ) -> None:
        # The sizes that it has had, each with how much had been read by then.
        self._sizes = [(0, columns, lines)]
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        self._process = subprocess.Popen(
            [program, *map(str, arguments)],
            cwd=lab.folder,
            env=lab.environment | {"TERM": "xterm-256color"} | environment,
            # login_tty makes it the controlling terminal, so that Ctrl-C is a signal.
            preexec_fn=partial(os.login_tty, slave),
        )
        lab.adopt(self._process)
        os.close(slave)
        self.raw = b""
        """Every byte that was written to the terminal so far."""

    def type(self, keys: bytes) -> None:
        os.write(self._master, keys)

    def resize(self, columns: int, lines: int) -> None:
        """Give it another size; the system tells the program by a signal."""
        self._sizes.append((len(self.raw), columns, lines))
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def watch(self, seconds: float) -> None:
        """Read for so long, or until it has ended."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and self._read():
            pass

    def modes(self) -> int:
        """The local modes that are set, such as termios.ECHO."""
        flags: int = termios.tcgetattr(self._master)[3]
        return flags

    @property
    def takes_keys(self) -> bool:
        """Whether what is typed goes to the program at once, without being shown."""
        return not self.modes() & (termios.ECHO | termios.ICANON)

    def until(self, true: Callable[[], object], what: str) -> None:
        """Read on until `true()`; fail the test when that does not come."""
        deadline = time.monotonic() + WAIT_SECONDS
        while not true():
            assert time.monotonic() < deadline, f"not within {WAIT_SECONDS:.0f} s: {what}\n{self.picture()}"
            assert self._read() or true(), f"it has ended before: {what}\n{self.picture()}"

    def wait(self) -> int:
        """Read to the end; the exit status."""
        deadline = time.monotonic() + WAIT_SECONDS
        while self._read():
            assert time.monotonic() < deadline, f"it does not end\n{self.picture()}"
        os.close(self._master)
        return self._process.wait(WAIT_SECONDS)

    def hang_up(self) -> None:
        """Close the terminal under whoever uses it: the system sends SIGHUP to the job in front."""
        os.close(self._master)

    def ended(self) -> int:
        """The exit status, after `hang_up`."""
        return self._process.wait(WAIT_SECONDS)

    def picture(self) -> str:
        """What stands on the screen that is shown now, the alternate one or the main one."""
        return "\n".join(line.rstrip() for line in self._screens()[self.full_screen].display).rstrip()

    @property
    def full_screen(self) -> bool:
        """Whether the alternate screen is shown."""
        return self.raw.rfind(b"\x1b[?1049h") > self.raw.rfind(b"\x1b[?1049l")

    @property
    def cursor_is_hidden(self) -> bool:
        return self.raw.rfind(b"\x1b[?25l") > self.raw.rfind(b"\x1b[?25h")

    def _screens(self) -> dict[bool, pyte.Screen]:
        screens = {full: pyte.Screen(*self._sizes[0][1:]) for full in (False, True)}
        streams = {full: pyte.ByteStream(screen) for full, screen in screens.items()}
        full = False
        ends = [start for start, _, _ in self._sizes[1:]] + [len(self.raw)]
        for (start, columns, lines), end in zip(self._sizes, ends, strict=True):
            for screen in screens.values():
                screen.resize(lines, columns)
            for part in _OTHER_SCREEN.split(self.raw[start:end]):
                if _OTHER_SCREEN.fullmatch(part):
                    full = part.endswith(b"h")
                else:
                    streams[full].feed(part)
        return screens

    def _read(self) -> bool:
        """Take in what has been written; False when nobody is left to write."""
        if not select.select([self._master], [], [], 0.05)[0]:
            return True
        try:
            data = os.read(self._master, 1 << 16)
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            return False
        self.raw += data
        return bool(data)
