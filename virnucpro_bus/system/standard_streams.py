"""The standard streams of a command: open whatever started it, able to carry any text, given up when they fail."""

from __future__ import annotations

import io
import os
import sys

_MODES = {"stdin": "r", "stdout": "w", "stderr": "w"}
"""In the order of their descriptors."""


def prepare_standard_streams() -> None:
    """Make all three streams usable. To be called before the command opens anything else.

    A stream that is closed (`>&-`, some daemons) becomes the null device. The descriptor would otherwise go to the
    next socket or file, and the output of a library or of a child process would end up there.
    """
    for name, mode in _MODES.items():
        if getattr(sys, name) is None:
            # The system gives the lowest free descriptor: that of the stream.
            stream = os.fdopen(os.open(os.devnull, os.O_RDONLY if mode == "r" else os.O_WRONLY), mode)
            os.set_inheritable(stream.fileno(), True)
            setattr(sys, name, stream)
    if isinstance(sys.stdout, io.TextIOWrapper):
        # Text that the output's encoding cannot represent is escaped instead of raising an error.
        sys.stdout.reconfigure(errors="backslashreplace")


def read_from_terminal() -> None:
    """Make the terminal of this session the standard input, unless it is one: what was on it has been read.

    Without a terminal, nothing changes. To be called before anything reads `sys.stdin`.
    """
    if os.isatty(0):
        return
    try:
        terminal = os.open("/dev/tty", os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return
    os.dup2(terminal, 0)
    os.close(terminal)


def abandon_output() -> bool:
    """Flush stdout; returns whether that fails. The remaining output is discarded then.

    Otherwise Python would report the failure once more when it closes stdout.
    """
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return True
    return False
