"""However a program with a dashboard ends or stops, its terminal is given back, and what it said is not lost."""

from __future__ import annotations

import shutil
import signal
import sys
import termios
from pathlib import Path

import pytest

from tests.support.captures import some_frames, write_capture
from tests.support.lab import COMMAND, Lab
from tests.support.paths import ROOT
from tests.support.run_files import Gates, small_files
from tests.support.terminal import CTRL_C, Terminal

CTRL_Z = b"\x1a"
# A user's own program: a dashboard in its process, and what it does beside that.
PROGRAM = f"""
import logging, os, signal, sys, time
sys.path.insert(0, {str(ROOT)!r})
from tests.support.fake_sources import Gpus, Work
from monitor.dashboard import LoadBalancingDashboard

logging.basicConfig(format="%(message)s")
print("said before", flush=True)
dashboard = LoadBalancingDashboard(Work(), Gpus(), 0.05, None, title="a run")
dashboard.start()
"""


def start(lab: Lab, then: str) -> Terminal:
    """A user's program; what it does goes to the terminal."""
    path = lab.folder / "program.py"
    path.write_text(PROGRAM + then)
    return Terminal(lab, path, program=sys.executable)


def draws(terminal: Terminal) -> bool:
    """Whether it stands on the alternate screen."""
    return terminal.full_screen and "TOTAL" in terminal.picture()


def given_back(terminal: Terminal) -> bool:
    return b"\x1b[?1049h" in terminal.raw and not terminal.full_screen and not terminal.cursor_is_hidden


def on_the_other_screen(terminal: Terminal) -> bytes:
    """All that was written while pictures stood there."""
    return b"".join(part.split(b"\x1b[?1049l")[0] for part in terminal.raw.split(b"\x1b[?1049h")[1:])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1])
def test_a_signal_gives_it_back_and_ends_the_program_as_it_would(lab: Lab, number: signal.Signals) -> None:
    then = 'print("said meanwhile")\nopen("has_said_it", "x").close()\nwhile True: time.sleep(0.05)\n'
    terminal = start(lab, then)
    terminal.until(lambda: draws(terminal) and (lab.folder / "has_said_it").exists(), "it draws and prints")
    terminal.signal(number)
    assert terminal.wait() == -number
    assert given_back(terminal)
    assert terminal.picture().splitlines() == ["said before", "said meanwhile"]


def test_an_exception_that_nobody_handles_is_seen_afterwards(lab: Lab) -> None:
    terminal = start(lab, 'time.sleep(0.5)\nraise RuntimeError("what went wrong")\n')
    assert terminal.wait() == 1
    assert given_back(terminal)
    assert "RuntimeError: what went wrong" in terminal.picture()
    assert b"what went wrong" not in on_the_other_screen(terminal)


def test_ctrl_c_gives_it_back(lab: Lab) -> None:
    terminal = start(lab, "while True: time.sleep(0.05)\n")
    terminal.until(lambda: draws(terminal), "it draws")
    terminal.type(CTRL_C)
    assert terminal.wait() == -signal.SIGINT
    assert given_back(terminal)
    assert "KeyboardInterrupt" in terminal.picture()


def test_what_is_printed_and_logged_meanwhile_comes_afterwards_in_order(lab: Lab) -> None:
    then = """
time.sleep(0.3)
for number in range(3):
    print("printed", number)
    logging.warning("logged %d", number)
    print("to stderr", number, file=sys.stderr)
made_meanwhile = logging.StreamHandler()
logging.getLogger("late").addHandler(made_meanwhile)
logging.getLogger("late").propagate = False
logging.getLogger("late").warning("logged late")
time.sleep(0.3)
dashboard.stop()
logging.getLogger("late").warning("logged after")
print("printed after")
"""
    terminal = start(lab, then)
    assert terminal.wait() == 0
    lines = terminal.picture().splitlines()
    said = [f"{what} {number}" for number in range(3) for what in ("printed", "logged", "to stderr")]
    assert lines[: 1 + len(said) + 1] == ["said before", *said, "logged late"]
    assert lines[-2:] == ["logged after", "printed after"]
    assert b"rinted" not in on_the_other_screen(terminal)
    assert b"ogged" not in on_the_other_screen(terminal)


def test_output_that_goes_elsewhere_is_not_held(lab: Lab) -> None:
    other = lab.folder / "errors"
    then = f"""
dashboard.stop()
os.dup2(os.open({str(other)!r}, os.O_WRONLY | os.O_CREAT), 2)
dashboard.start()
print("an error", file=sys.stderr)
while True: time.sleep(0.05)
"""
    terminal = start(lab, then)
    terminal.until(lambda: other.exists() and other.read_text() == "an error\n", "it says so at once")
    terminal.signal(signal.SIGTERM)
    assert terminal.wait() == -signal.SIGTERM


def test_a_forked_child_that_ends_leaves_the_picture_alone(lab: Lab) -> None:
    then = """
time.sleep(0.3)
for end in (lambda: os.kill(os.getpid(), signal.SIGTERM), sys.exit):
    child = os.fork()
    if not child:
        end()
    os.waitpid(child, 0)
while True: time.sleep(0.05)
"""
    terminal = start(lab, then)
    terminal.until(lambda: draws(terminal), "it draws")
    terminal.watch(1.5)
    assert draws(terminal)
    assert terminal.raw.count(b"\x1b[?1049l") == 0
    terminal.signal(signal.SIGTERM)
    assert terminal.wait() == -signal.SIGTERM
    assert terminal.raw.count(b"\x1b[?1049l") == 1


# The commands


@pytest.fixture
def capture(lab: Lab) -> Path:
    write_capture(lab.folder / "run.vbus", some_frames(60))
    return lab.folder / "run.vbus"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT])
def test_a_command_gives_keyboard_and_screen_back(lab: Lab, capture: Path, number: signal.Signals) -> None:
    terminal = Terminal(lab, "replay", capture, "--start-paused")
    terminal.until(lambda: draws(terminal) and not terminal.modes() & termios.ECHO, "it draws")
    terminal.signal(number)
    terminal.until(lambda: terminal.modes() & termios.ICANON and terminal.modes() & termios.ECHO, "as it was")
    assert terminal.wait() == 128 + number
    assert given_back(terminal)


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash here")
def test_ctrl_z_gives_it_back_to_the_shell_and_fg_draws_it_again(lab: Lab, capture: Path) -> None:
    terminal = Terminal(lab, "--norc", "--noediting", "-i", program="bash", PS1="$ ", HISTFILE="")
    terminal.type(f"{COMMAND} replay run.vbus --start-paused --interval 3600\n".encode())
    terminal.until(lambda: draws(terminal) and not terminal.modes() & termios.ECHO, "it draws")
    terminal.type(CTRL_Z)
    terminal.until(lambda: given_back(terminal) and "Stopped" in terminal.picture(), "the shell is there")
    assert terminal.modes() & termios.ECHO
    terminal.type(b"fg\n")
    terminal.until(lambda: draws(terminal) and not terminal.modes() & termios.ECHO, "it draws again")
    terminal.type(b"q")
    terminal.until(lambda: given_back(terminal) and terminal.modes() & termios.ECHO, "it has ended")
    terminal.type(b"exit\n")
    assert terminal.wait() == 0


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash here")
def test_ctrl_z_stops_a_run_as_well_and_fg_goes_on_with_it(lab: Lab) -> None:
    gates = Gates(lab.folder / "gates")
    gates.close(*small_files(lab.folder / "in", 2))
    terminal = Terminal(lab, "--norc", "--noediting", "-i", program="bash", PS1="$ ", HISTFILE="")
    job = f"--job user_jobs:gated --job-option {gates.option}"
    terminal.type(f"{COMMAND} run in --out out --devices cpu:2 --interval 0.2 {job}\n".encode())
    terminal.until(lambda: draws(terminal) and len(gates.waiting()) == 2, "it draws, and works")
    terminal.type(CTRL_Z)
    terminal.until(lambda: given_back(terminal) and "Stopped" in terminal.picture(), "the shell is there")
    assert terminal.modes() & termios.ECHO
    terminal.type(b"fg\n")
    terminal.until(lambda: draws(terminal), "it draws again")
    gates.open()
    terminal.until(lambda: "2 of 2 files done" in terminal.picture(), "it has ended")
    assert given_back(terminal)
    terminal.type(b"exit\n")
    assert terminal.wait() == 0
