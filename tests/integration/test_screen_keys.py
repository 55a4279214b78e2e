"""Keys typed at a `monitor` turn its pages, change its order, open screens, and end it."""

from __future__ import annotations

import re
import signal
import termios
from collections.abc import Iterator

import pytest

from monitor.view.glyphs import UNICODE
from tests.support.lab import COMMAND, Lab
from tests.support.live_bus import Bus, complete
from tests.support.terminal import Terminal, shown_page

SORTED = UNICODE.greatest_first
PAGE_DOWN, PAGE_UP = b"\x1b[6~", b"\x1b[5~"
DEVICES = 9
SIZE = {"columns": 80, "lines": 10}


@pytest.fixture
def bus(lab: Lab) -> Iterator[Bus]:
    """A bus with more devices than fit ten lines; device number N has completed N files."""
    bus = Bus(lab)
    for number in range(DEVICES):
        with bus.publisher(f"cpu:{number}") as publisher:
            complete(publisher, number + 1)
    yield bus
    bus.stop()


def press(terminal: Terminal, key: bytes, number: str) -> None:
    terminal.type(key)
    terminal.until(lambda: shown_page(terminal) == number, f"page {number} after {key!r}")


def monitor(lab: Lab, *options: str) -> Terminal:
    """One that looks of itself only once an hour, where nothing else is said."""
    terminal = Terminal(lab, "monitor", "bus", "--interval", "3600", *options, **SIZE)  # type: ignore[arg-type]
    terminal.until(lambda: terminal.takes_keys and shown_page(terminal), "it draws")
    return terminal


def test_keys_turn_pages_at_once_and_q_ends_it(lab: Lab, bus: Bus) -> None:
    terminal = monitor(lab)
    first = shown_page(terminal)
    pages = first.partition("/")[2]
    press(terminal, b"n", f"2/{pages}")
    press(terminal, PAGE_DOWN, f"3/{pages}")
    press(terminal, PAGE_UP, f"2/{pages}")
    press(terminal, b"pp", f"{pages}/{pages}")
    terminal.type(b"q")
    terminal.until(lambda: terminal.modes() & termios.ECHO, "the keyboard is given back")
    assert terminal.wait() == 0
    assert not terminal.full_screen
    # What stands there in the end has every device, more than fit.
    last = terminal.raw.rpartition(b"\x1b[?1049l")[2].decode()
    assert re.findall(r"cpu:\d", last) == [f"cpu:{number}" for number in range(DEVICES)]


def test_s_changes_the_order(lab: Lab, bus: Bus) -> None:
    terminal = monitor(lab)
    assert SORTED not in terminal.picture()
    terminal.type(b"ss")  # first by utilization, which no device has here
    terminal.until(lambda: f"{SORTED}QUEUE" in terminal.picture(), "by the longest queue")
    terminal.type(b"s")
    terminal.until(lambda: SORTED not in terminal.picture(), "by device again")
    terminal.type(b"q")
    assert terminal.wait() == 0


def test_pages_turn_by_themselves_until_a_key_is_pressed(lab: Lab, bus: Bus) -> None:
    terminal = monitor(lab, "--interval", "0.1")
    terminal.until(lambda: shown_page(terminal).startswith("2/"), "the second page")
    terminal.until(lambda: shown_page(terminal).startswith("1/"), "the first page again")
    terminal.type(b"n")

    def stands_still() -> bool:
        """Pages that turn by themselves would be several within that time."""
        before = len(terminal.raw)
        terminal.watch(1.5)
        return len(set(re.findall(rb"page \d", terminal.raw[before:]))) == 1

    terminal.until(stands_still, "the key has come")
    terminal.signal(signal.SIGTERM)
    assert terminal.wait() == 128 + signal.SIGTERM


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_keys_open_screens_at_once_and_a_signal_on_one_of_them_restores_the_terminal(
    lab: Lab, bus: Bus, number: signal.Signals
) -> None:
    terminal = monitor(lab)
    for key, shown in (
        (b"\x1b[B\x1b[B", f"{UNICODE.chosen}\N{MIDDLE DOT} cpu:1"),
        (b"\r", " cpu:1  stopped"),
        (b"\x1b[B", " cpu:2  stopped"),
        (b"f", "IN PROGRESS  0"),
        (b"e", "EFFECT OF STEALING"),
        (b"?", "the device: its figures"),
        (b"\x1b", "rows 1-"),
        (b"l", "none: nothing was printed"),
    ):
        terminal.type(key)
        terminal.until(lambda shown=shown: shown in terminal.picture(), f"{shown!r} after {key!r}")  # type: ignore[misc]
    terminal.signal(number)
    assert terminal.wait() == 128 + number
    assert not terminal.full_screen
    assert not terminal.cursor_is_hidden
    assert terminal.raw.rpartition(b"\x1b[?1049l")[2].count(b"TOTAL") == 1


def test_without_a_keyboard_pages_turn_and_nothing_is_read(lab: Lab, bus: Bus) -> None:
    command = 'exec "$0" monitor bus --interval 0.1 </dev/null'
    terminal = Terminal(lab, "-c", command, COMMAND, program="sh", **SIZE)  # type: ignore[arg-type]
    terminal.until(lambda: shown_page(terminal).startswith("2/"), "the second page")
    assert terminal.modes() & termios.ECHO
    terminal.signal(signal.SIGINT)
    assert terminal.wait() == 130


def test_only_the_devices_asked_for_are_shown_and_what_is_not_there_is_told(lab: Lab, bus: Bus) -> None:
    picked = lab.run("monitor", "bus", "--once", "--devices", "cpu:2,cpu:4,cpu:77")
    assert picked.wait() == 0
    assert re.findall(r"cpu:\d+", picked.stdout) == ["cpu:2", "cpu:4", "cpu:77"]
    assert "no device matches cpu:77" in picked.stdout
