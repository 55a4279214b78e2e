"""A run's terminal: keys go to its dashboard and nowhere else, and whoever has the terminal keeps it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import termios
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from monitor.view.glyphs import UNICODE
from tests.support.lab import COMMAND, Lab
from tests.support.run_files import Gates, small_files
from tests.support.terminal import Terminal, shown_page

CTRL_BACKSLASH, CTRL_S, CTRL_Q = b"\x1c", b"\x13", b"\x11"
DEVICES, FILES = 2, 3
MORE_THAN_A_PAGE = 9
"""Devices that do not fit ten lines."""
needs_bash = pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash here")


class Held:
    """A run whose workers wait at gates, with a file more than there are devices."""

    def __init__(self, lab: Lab, devices: int = DEVICES) -> None:
        self.devices = devices
        self.gates = Gates(lab.folder / "gates")
        self.gates.close(*small_files(lab.folder / "in", devices + 1))
        job = ("--job", "user_jobs:gated", "--job-option", self.gates.option)
        self.arguments = ("run", "in", "--out", "out", "--devices", f"cpu:{devices}", "--interval", "0.2", *job)

    @property
    def line(self) -> bytes:
        """The command as one types it."""
        return " ".join((COMMAND, *self.arguments)).encode()

    def all_wait(self) -> bool:
        return len(self.gates.waiting()) == self.devices


@pytest.fixture
def held(lab: Lab) -> Iterator[Held]:
    held = Held(lab)
    yield held
    held.gates.open()


def shell(lab: Lab, lines: int = 30) -> Terminal:
    return Terminal(lab, "--norc", "--noediting", "-i", program="bash", PS1="$ ", HISTFILE="", lines=lines)


def draws(terminal: Terminal, page: str = "TOTAL") -> bool:
    return terminal.full_screen and page in terminal.picture()


def test_keys_turn_the_pages_of_a_run_and_are_neither_seen_nor_left_for_the_shell(lab: Lab) -> None:
    held = Held(lab, MORE_THAN_A_PAGE)
    terminal = Terminal(lab, *held.arguments, "--columns", "done,cpu", columns=80, lines=10)
    terminal.until(lambda: held.all_wait() and draws(terminal) and terminal.takes_keys, "it draws")
    assert "DEVICE" in terminal.picture()
    assert "QUEUE" not in terminal.picture(), "the columns are those that were chosen"
    terminal.type(b"s")
    terminal.until(lambda: draws(terminal, UNICODE.greatest_first), "pages do not turn by themselves any more")
    first = shown_page(terminal)
    terminal.type(b"n")
    terminal.until(lambda: shown_page(terminal) not in ("", first), "the next page")
    terminal.type(b"p")
    terminal.until(lambda: shown_page(terminal) == first, "that page again")
    terminal.type(b"qrm")
    terminal.type(b"n")
    terminal.until(lambda: shown_page(terminal) not in ("", first), "q does not end it")
    held.gates.open()
    terminal.until(lambda: terminal.modes() & termios.ECHO and terminal.modes() & termios.ICANON, "as it was")
    assert terminal.wait() == 0
    assert b"rm" not in terminal.raw


def test_keys_work_for_a_run_whose_inputs_are_listed_on_standard_input(lab: Lab, held: Held) -> None:
    arguments = " ".join(("run", "-", *held.arguments[2:]))
    terminal = Terminal(lab, "-c", f"echo in | {COMMAND} {arguments}", program="sh")
    terminal.until(lambda: held.all_wait() and draws(terminal) and terminal.takes_keys, "it draws")
    terminal.type(b"?")
    terminal.until(lambda: draws(terminal, "SCREENS"), "the list of keys")
    held.gates.open()
    assert terminal.wait() == 0
    assert _done(lab.folder) == FILES


@needs_bash
def test_ctrl_backslash_takes_the_picture_off_before_the_shell_writes(lab: Lab, held: Held) -> None:
    terminal = shell(lab)
    terminal.type(held.line + b"\n")
    terminal.until(lambda: held.all_wait() and draws(terminal) and terminal.takes_keys, "it draws")
    terminal.type(CTRL_BACKSLASH)
    terminal.until(lambda: "Quit" in terminal.picture(), "the shell says how it ended")
    assert not terminal.full_screen
    assert terminal.modes() & termios.ECHO
    assert terminal.raw.index(b"\x1b[?1049l") < terminal.raw.index(b"Quit")
    terminal.type(b"exit\n")
    terminal.wait()


@needs_bash
def test_a_run_in_the_background_leaves_the_screen_to_the_shell_until_it_is_in_front(lab: Lab, held: Held) -> None:
    terminal = shell(lab)
    terminal.type(held.line + b" &\n")
    log = lab.folder / "out" / "gpu_metrics.log"
    terminal.until(
        lambda: held.all_wait() and log.exists() and log.read_text().count("\n") > 3 * DEVICES, "it goes on"
    )
    terminal.type(b"echo still mine\n")
    terminal.until(lambda: "\nstill mine" in terminal.picture(), "the shell answers")
    assert b"\x1b[?1049h" not in terminal.raw
    terminal.type(b"fg\n")
    terminal.until(lambda: draws(terminal) and terminal.takes_keys, "it draws")
    held.gates.open()
    terminal.until(lambda: f"{FILES} of {FILES} files done" in terminal.picture(), "it has ended")
    terminal.type(b"exit\n")
    assert terminal.wait() == 0


@needs_bash
def test_a_terminal_that_stops_who_writes_from_behind_does_not_stop_the_dashboard(lab: Lab, held: Held) -> None:
    terminal = shell(lab)
    terminal.type(b"stty tostop\n" + held.line + b"\n")
    terminal.until(lambda: held.all_wait() and draws(terminal), "it draws")
    held.gates.open()
    terminal.until(lambda: f"{FILES} of {FILES} files done" in terminal.picture(), "it has ended")
    terminal.type(b"exit\n")
    assert terminal.wait() == 0


def test_a_terminal_that_goes_away_lets_the_files_in_hand_be_finished(lab: Lab, held: Held) -> None:
    terminal = Terminal(lab, *held.arguments)
    terminal.until(lambda: held.all_wait() and draws(terminal), "it draws")
    terminal.hang_up()
    while b"SIGHUP: finishing the files in progress" not in (lab.folder / "out" / "run.vbus").read_bytes():
        threading.Event().wait(0.02)
    held.gates.open()
    assert terminal.ended() == 128 + signal.SIGHUP
    assert _done(lab.folder) == DEVICES


def test_a_terminal_that_does_not_read_delays_only_what_is_printed(lab: Lab, held: Held) -> None:
    terminal = Terminal(lab, *held.arguments)
    terminal.until(lambda: held.all_wait() and draws(terminal) and terminal.takes_keys, "it draws")
    terminal.type(CTRL_S)
    log = lab.folder / "out" / "gpu_metrics.log"
    rows = log.read_text().count("\n")
    terminal.until(lambda: log.read_text().count("\n") > rows + 2 * DEVICES, "the log continues")
    terminal.signal(signal.SIGTERM)
    held.gates.open()
    terminal.until((lab.folder / "out" / "summary.json").exists, "the run has ended")
    assert terminal.full_screen
    terminal.type(CTRL_Q)
    assert terminal.wait() == 128 + signal.SIGTERM
    left, _, after = terminal.raw.rpartition(b"\x1b[?1049l")
    assert left.count(b"\x1b[?1049h") == 1
    assert b"SIGTERM: finishing the files in progress" in after


def _done(folder: Path) -> int:
    summary = json.loads((folder / "out" / "summary.json").read_text())
    done: int = summary["totals"]["files_completed"]
    return done


def test_a_run_under_nohup_goes_on_when_the_terminal_goes_away(lab: Lab, held: Held) -> None:
    command = """trap '' HUP; exec "$0" "$@" >said 2>&1"""
    terminal = Terminal(lab, "-c", command, COMMAND, *held.arguments, program="sh")
    terminal.until(held.all_wait, "all work")
    terminal.hang_up()
    terminal.signal(signal.SIGHUP)
    held.gates.open()
    assert terminal.ended() == 0
    assert _done(lab.folder) == FILES
    assert os.path.getsize(lab.folder / "said")
