"""The dashboard on real terminals and pipes, in a process of its own."""

from __future__ import annotations

import fcntl
import os
import struct
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO

import pyte
import pytest

# In a process of its own: the dashboard on whatever its standard output is, until a line comes in.
DRIVER = """
import sys
from tests.support.fake_sources import Gpus, Work
from monitor.dashboard import LoadBalancingDashboard
dashboard = LoadBalancingDashboard(Work(), Gpus(), 0.02, {log!r}, title="a run")
dashboard.start()
sys.stdin.readline()
"""
STOP = "dashboard.stop()\ndashboard.stop()\n"


def run_driver(
    log: Path, output: int | IO[bytes], *, stops: bool = True, environment: Mapping[str, str] = {}
) -> subprocess.Popen[bytes]:
    code = DRIVER.format(log=str(log)) + STOP * stops
    plain = {name: text for name, text in os.environ.items() if name not in ("NO_COLOR", "COLUMNS", "LINES")}
    return subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=output,
        stderr=subprocess.PIPE,
        env=plain | {"TERM": "xterm-256color", "PYTHONIOENCODING": "utf-8", **environment},
    )


@pytest.fixture
def terminal() -> Iterator[tuple[int, int]]:
    """A pseudo-terminal of 80 x 24: (the emulator's end, the program's end)."""
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    yield ours, theirs
    for end in (ours, theirs):
        try:
            os.close(end)
        except OSError:
            pass  # a test has closed it already


def read_until(ours: int, screen: pyte.Screen, stream: pyte.ByteStream, wanted: Callable[[bytes], bool]) -> bytes:
    """Feed the emulator until `wanted` holds for all that was read. The test's timeout is the limit."""
    seen = b""
    while not wanted(seen):
        piece = os.read(ours, 65536)
        seen += piece
        stream.feed(piece)
    return seen


def test_on_a_terminal_the_table_is_drawn_full_screen_and_the_terminal_given_back(
    terminal: tuple[int, int], tmp_path: Path
) -> None:
    ours, theirs = terminal
    screen = pyte.Screen(80, 24)
    stream = pyte.ByteStream(screen)
    with run_driver(tmp_path / "log.csv", theirs) as process:
        assert process.stdin is not None
        drawn = read_until(ours, screen, stream, lambda seen: seen.count(b"TOTAL") >= 3)
        assert b"\x1b[?1049h" in drawn
        assert b"\x1b[2Jsample" not in drawn
        cursor_was_hidden = screen.cursor.hidden
        assert cursor_was_hidden
        assert screen.display[0].startswith(" a run ")
        assert screen.display[3].split() == [
            *("DEVICE", "COMPUTE", "MEMORY", "SEQ/S", "QUEUE", "DONE", "FAIL", "STEALS", "FILE"),
        ]
        assert screen.display[4].split()[:4] == ["●", "GPU", "0", "87%"]
        assert screen.display[6].lstrip().startswith("TOTAL")
        assert screen.display[8].startswith(" THROUGHPUT ")
        assert next(line for line in screen.display if "cpu:0 <- " in line).endswith(
            "cpu:0 <- GPU 0 \\x1b[2Jsample_2.fa".ljust(70)
        )

        process.stdin.write(b"\n")
        process.stdin.flush()
        process.wait(30)
        os.write(theirs, b"END")
        rest = read_until(ours, screen, stream, lambda seen: seen.endswith(b"END"))
        assert process.stderr is not None
        assert process.stderr.read() == b""
    assert process.returncode == 0
    assert not screen.cursor.hidden
    assert rest.count(b"\x1b[?1049l") == 1
    after = rest.split(b"\x1b[?1049l")[1]
    assert after.count(b"TOTAL") == 1
    assert b"\x1b[?25l" not in after
    assert b"\x1b[?1049h" not in rest


def test_a_program_that_ends_without_stop_gives_the_terminal_back_too(
    terminal: tuple[int, int], tmp_path: Path
) -> None:
    ours, theirs = terminal
    screen = pyte.Screen(80, 24)
    stream = pyte.ByteStream(screen)
    with run_driver(tmp_path / "log.csv", theirs, stops=False) as process:
        seen = read_until(ours, screen, stream, lambda seen: b"TOTAL" in seen)
        process.communicate(b"\n", 30)
    os.write(theirs, b"END")
    seen += read_until(ours, screen, stream, lambda seen: seen.endswith(b"END"))
    assert process.returncode == 0
    assert seen.count(b"\x1b[?1049h") == seen.count(b"\x1b[?1049l") == 1
    assert not screen.cursor.hidden


def test_when_the_terminal_goes_away_the_log_continues(terminal: tuple[int, int], tmp_path: Path) -> None:
    ours, theirs = terminal
    log = tmp_path / "log.csv"
    screen = pyte.Screen(80, 24)
    with run_driver(log, theirs) as process:
        read_until(ours, screen, pyte.ByteStream(screen), lambda seen: b"TOTAL" in seen)
        os.close(theirs)
        os.close(ours)
        before = log.stat().st_size
        while log.stat().st_size < before + 2000:
            assert process.poll() is None
        _, errors = process.communicate(b"\n", 30)
    assert errors == b""
    assert process.returncode == 0


def test_a_terminal_that_does_not_read_holds_up_neither_the_log_nor_the_end_of_the_program(
    terminal: tuple[int, int], tmp_path: Path
) -> None:
    _, theirs = terminal
    log = tmp_path / "log.csv"
    termios.tcflow(theirs, termios.TCOOFF)  # as after Ctrl-S
    with run_driver(log, theirs) as process:
        while not log.exists() or log.stat().st_size < 2000:
            assert process.poll() is None
        _, errors = process.communicate(b"\n", 30)
    assert errors == b""
    assert process.returncode == 0


@pytest.mark.parametrize(
    "environment", [{}, {"FORCE_COLOR": "1"}, {"TTY_COMPATIBLE": "1"}, {"CLICOLOR_FORCE": "1"}]
)
def test_a_pipe_gets_plain_lines_only(tmp_path: Path, environment: dict[str, str]) -> None:
    with run_driver(tmp_path / "log.csv", subprocess.PIPE, environment=environment) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        rest, errors = process.communicate(b"\n", 30)
    lines = (first + rest).decode().splitlines()
    assert errors == b""
    assert len(lines) >= 2
    assert all(" files 8/20 failed 0 " in line and "| GPU 0 87% 12.3/s q3 |" in line for line in lines)
    assert all(line.isprintable() for line in lines)


def test_a_dumb_terminal_gets_plain_lines_only(terminal: tuple[int, int], tmp_path: Path) -> None:
    ours, theirs = terminal
    screen = pyte.Screen(80, 24)
    with run_driver(tmp_path / "log.csv", theirs, environment={"TERM": "dumb"}) as process:
        seen = read_until(ours, screen, pyte.ByteStream(screen), lambda seen: b"\n" in seen)
        process.communicate(b"\n", 30)
    assert b"\x1b" not in seen
    assert b" files 8/20 failed 0 " in seen
