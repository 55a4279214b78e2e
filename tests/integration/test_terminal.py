"""On a terminal the dashboard draws and gives everything back; anywhere else there are plain lines only."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.support.lab import Lab
from tests.support.run_files import COUNT, Gates, small_files
from tests.support.terminal import CTRL_C, Terminal

ESCAPE = b"\x1b"
PICTURE_ENDS = b"\x1b[?2026l"
COLOURS = re.compile(rb"\x1b\[[0-9;]*(?:3[0-9]|4[0-9]|9[0-9]|38;[0-9;]*|48;[0-9;]*)m")
DEVICES = ("cpu:0", "cpu:1", "cpu:2", "cpu:3")
RUN = ("--out", "out", "--devices", "cpu:4", "--weights", "10,1,1,1", "--interval", "0.2")
SMALL_RUN = ("--out", "out", "--devices", "cpu:2", "--interval", "0.2")
FEW = 3
BIGGEST = "reads_06.fa.gz"
SOME = rf"(?<!\d)[1-3]?[1-9]/{COUNT} files"
# The device that is held up keeps the file in hand and at most two in its queue, which are not worth stealing.
NEARLY_ALL = rf"3[7-9]/{COUNT} files"
SLOW_JOB = ("--job", "user_jobs:slow")


class HeldUp:
    """A run in which some files wait at gates."""

    def __init__(self, lab: Lab, names: Iterable[str], *arguments: str | Path) -> None:
        self.gates = Gates(lab.folder / "gates")
        self.gates.close(*names)
        job = ("--job", "user_jobs:gated", "--job-option", self.gates.option)
        self.arguments = ("run", *arguments, *job)


@pytest.fixture
def nearly_done(lab: Lab, forty: Path) -> HeldUp:
    """Of four devices and 40 files, one device is held up in the biggest file, the others work and steal."""
    return HeldUp(lab, [BIGGEST], forty, *RUN)


@pytest.fixture
def just_begun(lab: Lab) -> HeldUp:
    """Each of two devices is held up in its first file of three."""
    return HeldUp(lab, small_files(lab.folder / "in", FEW), "in", *SMALL_RUN)


def shows(terminal: Terminal, *patterns: str) -> bool:
    """Whether a full-screen picture, without cursor, has all `patterns` in it. It may be half drawn: ask again."""
    if not (terminal.full_screen and terminal.cursor_is_hidden):
        return False
    picture = terminal.picture()
    return all(re.search(pattern, picture) for pattern in patterns)


def given_back(terminal: Terminal) -> bool:
    """Whether the terminal is as it was: main screen, cursor shown, after both had been otherwise."""
    used = b"\x1b[?1049h" in terminal.raw and b"\x1b[?25l" in terminal.raw
    return used and not terminal.full_screen and not terminal.cursor_is_hidden


# On a terminal


def test_a_run_draws_devices_progress_and_steals_and_gives_the_terminal_back(
    lab: Lab, nearly_done: HeldUp
) -> None:
    terminal = Terminal(lab, *nearly_done.arguments)
    rows = [rf"{device} " for device in DEVICES]
    words = ("DEVICE", "CPU", "RSS", "QUEUE", "DONE", "FAIL", "STEALS", "RECENT STEALS", "ETA")
    steal = r"cpu:\d <- cpu:\d +\S+\.fa"
    terminal.until(lambda: shows(terminal, NEARLY_ALL, *rows, *words, steal), "everything is drawn")
    nearly_done.gates.open()
    assert terminal.wait() == 0
    assert given_back(terminal)
    last = terminal.picture()
    assert f"{COUNT}/{COUNT} files" in last
    assert f"{COUNT} of {COUNT} files done" in last
    for label in ("results", "capture", "log", "summary"):
        assert re.search(rf"^ +{label} +out/", last, re.MULTILINE)


def test_ctrl_c_gives_the_terminal_back_too(lab: Lab, just_begun: HeldUp) -> None:
    terminal = Terminal(lab, *just_begun.arguments)
    terminal.until(lambda: just_begun.gates.waiting() and shows(terminal, "cpu:1"), "it draws")
    terminal.type(CTRL_C)
    terminal.until(lambda: b"press Ctrl-C again" in terminal.raw, "it says what it does")
    just_begun.gates.open()
    assert terminal.wait() == 130
    assert given_back(terminal)


def test_a_second_ctrl_c_gives_the_terminal_back_too(lab: Lab, just_begun: HeldUp) -> None:
    terminal = Terminal(lab, *just_begun.arguments)
    terminal.until(lambda: just_begun.gates.waiting() and shows(terminal, "cpu:1"), "it draws")
    terminal.type(CTRL_C)
    terminal.until(lambda: b"press Ctrl-C again" in terminal.raw, "it says what it does")
    terminal.type(CTRL_C)
    assert terminal.wait() == 130
    assert given_back(terminal)


def test_a_signal_to_all_processes_gives_the_terminal_back_too(lab: Lab, just_begun: HeldUp) -> None:
    terminal = Terminal(lab, *just_begun.arguments)
    terminal.until(lambda: just_begun.gates.waiting() and shows(terminal, "cpu:1"), "it draws")
    lab.signal_all(signal.SIGTERM)
    terminal.until(lambda: b"\x1b[?1049l" in terminal.raw, "the monitor has left the screen")
    just_begun.gates.open()
    assert terminal.wait() == 128 + signal.SIGTERM
    assert given_back(terminal)


def test_the_terminal_is_given_back_for_a_monitor_that_was_killed(lab: Lab, just_begun: HeldUp) -> None:
    terminal = Terminal(lab, *just_begun.arguments)
    terminal.until(lambda: just_begun.gates.waiting() and shows(terminal, "cpu:1"), "it draws")
    (monitor,) = (pid for pid, command in lab.processes().items() if " monitor " in command)
    os.kill(monitor, signal.SIGKILL)
    just_begun.gates.open()
    assert terminal.wait() == 0
    assert given_back(terminal)
    assert f"{FEW} of {FEW} files done" in terminal.picture()


NOISY_JOB = """
import os, time
from pathlib import Path

def run(input, output, context):
    while not Path("enough").exists():
        print("NOISE \\x1b[2J\\x1b[H \\x1b[?1049l", flush=True)
        os.write(2, b"\\rNOISE on stderr\\n")
        Path("noise").touch()
        time.sleep(0.01)
    return 1
"""


def test_what_a_job_prints_does_not_tear_the_picture(lab: Lab) -> None:
    small_files(lab.folder / "in", FEW)
    (lab.folder / "noisy.py").write_text(NOISY_JOB)
    terminal = Terminal(lab, "run", "in", *SMALL_RUN, "--job", "noisy:run")
    terminal.until(lambda: (lab.folder / "noise").exists() and shows(terminal, "cpu:1"), "it draws amid the noise")
    drawn = terminal.raw.count(PICTURE_ENDS)
    terminal.until(lambda: terminal.raw.count(PICTURE_ENDS) > drawn + 2, "more pictures")
    (lab.folder / "enough").touch()
    assert terminal.wait() == 0
    assert b"NOISE" not in terminal.raw
    assert given_back(terminal)
    assert f"{FEW}/{FEW} files" in terminal.picture()


def test_a_monitor_from_another_terminal_shows_the_run_and_leaves_it_alone(lab: Lab, just_begun: HeldUp) -> None:
    running = lab.start(*just_begun.arguments, "--no-dashboard")
    running.until(just_begun.gates.waiting, "the job is at its gate")
    leaving = Terminal(lab, "monitor", "out", "--interval", "0.2")
    leaving.until(lambda: shows(leaving, "cpu:1"), "it draws")
    leaving.type(CTRL_C)
    assert leaving.wait() == 130
    assert given_back(leaving)
    staying = Terminal(lab, "monitor", "out", "--interval", "0.2")
    staying.until(lambda: shows(staying, "cpu:1"), "it draws")
    just_begun.gates.open()
    assert staying.wait() == 0
    assert given_back(staying)
    assert f"{FEW}/{FEW} files" in staying.picture()
    assert running.wait() == 0, running.stderr


def test_a_replay_draws_the_run_again(lab: Lab, finished: Path) -> None:
    terminal = Terminal(lab, "replay", finished, "--rate", "0.5", "--interval", "0.1")
    terminal.until(lambda: shows(terminal, SOME), "some files are done")
    assert terminal.wait() == 0
    assert given_back(terminal)
    assert f"{COUNT}/{COUNT} files" in terminal.picture()


def test_a_fast_replay_ends_with_the_same_picture(lab: Lab, finished: Path) -> None:
    terminal = Terminal(lab, "replay", finished / "run.vbus", "--rate", "50")
    assert terminal.wait() == 0
    assert given_back(terminal)
    assert f"{COUNT}/{COUNT} files" in terminal.picture()


@pytest.mark.parametrize(("columns", "lines"), [(60, 10), (200, 50)])
def test_the_picture_fits_the_terminal(lab: Lab, finished: Path, columns: int, lines: int) -> None:
    # The whole path would be cut short where the folder of the tests has a long name.
    (lab.folder / "run").symlink_to(finished)
    terminal = Terminal(lab, "replay", "run", "--rate", "0.1", "--interval", "0.1", columns=columns, lines=lines)
    # Its first line and what comes after the table are on the screen at the same time.
    terminal.until(lambda: shows(terminal, r"\A run/run\.vbus", "no problems seen"), "the whole picture")
    terminal.type(CTRL_C)
    assert terminal.wait() == 130
    assert given_back(terminal)


def test_no_color_leaves_the_table_and_takes_the_colours(lab: Lab, finished: Path) -> None:
    plain = Terminal(lab, "replay", finished, "--rate", "50", NO_COLOR="1")
    assert plain.wait() == 0
    assert f"{COUNT}/{COUNT} files" in plain.picture()
    assert COLOURS.search(plain.raw) is None
    coloured = Terminal(lab, "replay", finished, "--rate", "50")
    assert coloured.wait() == 0
    assert COLOURS.search(coloured.raw)


def test_a_dumb_terminal_gets_plain_lines(lab: Lab, forty: Path) -> None:
    terminal = Terminal(lab, "run", forty, *RUN, *SLOW_JOB, TERM="dumb")
    assert terminal.wait() == 0
    assert ESCAPE not in terminal.raw
    assert f"files {COUNT}/{COUNT} failed 0".encode() in terminal.raw


# Into a pipe or a file


def test_off_a_terminal_there_are_plain_lines_only_whatever_the_environment_says(lab: Lab, forty: Path) -> None:
    ended = lab.run("run", forty, *RUN, *SLOW_JOB, FORCE_COLOR="1", TERM="xterm-256color", COLUMNS="40")
    assert ended.wait() == 0, ended.stderr
    assert ESCAPE.decode() not in ended.stdout + ended.stderr
    frames = ended.stderr.splitlines()
    assert frames, "the last one at least"
    for frame in frames:
        assert re.match(rf"\d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\dZ files \d+/{COUNT} failed 0 ", frame)
    assert frames[-1].count("cpu:") == len(DEVICES)
    done, stealing, results, capture, log, summary = ended.stdout.splitlines()
    assert f"{COUNT} of {COUNT} files done" in done
    assert stealing.startswith("stealing: ")
    places = [line.split() for line in (results, capture, log, summary)]
    assert places == [
        ["results", "out/results"],
        ["capture", "out/run.vbus"],
        ["log", "out/gpu_metrics.log"],
        ["summary", "out/summary.json"],
    ]


@pytest.mark.parametrize("command", ["monitor", "replay --once"])
def test_a_table_that_is_asked_for_once_has_colours_off_a_terminal_where_they_are_forced(
    lab: Lab, finished: Path, command: str
) -> None:
    name, *options = command.split()
    forced = lab.run(name, finished, *options, FORCE_COLOR="1")
    refused = lab.run(name, finished, *options, FORCE_COLOR="1", NO_COLOR="1")
    assert (forced.wait(), refused.wait()) == (0, 0)
    assert COLOURS.search(forced.stdout.encode())
    assert COLOURS.search(refused.stdout.encode()) is None


@pytest.mark.parametrize(
    ("command", "environment"),
    [("monitor", {}), ("replay --rate 50", {"FORCE_COLOR": "1"}), ("replay --once", {})],
)
def test_monitor_and_replay_off_a_terminal_print_no_escape_byte(
    lab: Lab, finished: Path, command: str, environment: dict[str, str]
) -> None:
    name, *options = command.split()
    ended = lab.run(name, finished, *options, **environment)
    assert ended.wait() == 0, ended.stderr
    assert ended.stdout
    assert ESCAPE.decode() not in ended.stdout + ended.stderr


def test_without_a_dashboard_there_is_only_the_summary_and_still_the_log(finished: Path) -> None:
    printed = (finished.parent / "command-0.stdout").read_text()
    beginnings = [
        "40 of 40 files done in ",
        "stealing: ",
        *(f"  {name}" for name in ("results", "capture", "log", "summary")),
    ]
    for line, beginning in zip(printed.splitlines(), beginnings, strict=True):
        assert line.startswith(beginning)
    assert len((finished / "gpu_metrics.log").read_text().splitlines()) >= 1 + len(DEVICES)
