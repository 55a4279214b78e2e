"""What the keys do to a replay, and which options of `replay` go together."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from monitor.cli.replay import Controls
from monitor.terminal.keys import Key
from tests.support.captures import some_frames, write_capture
from virnucpro_bus.cli import main as cli
from virnucpro_bus.clock import ManualClock
from virnucpro_bus.sources.replay import Replay


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Forty files of one worker, one a second."""
    write_capture(tmp_path / "run.vbus", some_frames(40))
    return tmp_path / "run.vbus"


class Keyboard:
    """A replay at 20 s, paused, under the control of keys that a test types."""

    def __init__(self, path: Path) -> None:
        self.replay = Replay(path, ManualClock(), paused=True, from_seconds=20)
        self.start_ns = self.replay.mono_ns()
        self.shown = 0
        self._keys: list[Key] = []
        self.moved: list[Key] = []
        self._controls = Controls(self.replay, lambda: self._keys, self._show, self.moved.append)
        self.catch_up()

    def _show(self) -> None:
        self.shown += 1

    def catch_up(self) -> None:
        while self.replay.catching_up:
            self.replay.receive(0.0)

    def type(self, *keys: Key) -> None:
        self._keys[:] = keys
        self._controls.handle_keys()
        self._keys.clear()

    @property
    def seconds(self) -> float:
        return (self.replay.mono_ns() - self.start_ns) / 1e9


def test_as_fast_as_possible_the_report_is_a_line_unless_it_is_asked_for_once(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for options, several_lines in ((("--rate", "max"), False), (("--once",), True)):
        with pytest.raises(SystemExit):
            cli.main(["replay", str(path), "--json", *options])
        assert (capsys.readouterr().out.count("\n") > 1) is several_lines


def test_space_pauses_and_resumes(path: Path) -> None:
    keyboard = Keyboard(path)
    keyboard.type(Key.PAUSE)
    assert not keyboard.replay.paused
    keyboard.type(Key.PAUSE)
    assert keyboard.replay.paused


@pytest.mark.parametrize(
    ("keys", "seconds"),
    [
        ([Key.FORWARD], 30),
        ([Key.BACK], 10),
        ([Key.BACK, Key.BACK, Key.BACK], 0),
        ([Key.BACK, Key.FORWARD], 20),
        ([Key.BACK, Key.BACK, Key.FORWARD], 10),
    ],
)
def test_the_arrows_move_ten_seconds(path: Path, keys: list[Key], seconds: float) -> None:
    keyboard = Keyboard(path)
    keyboard.type(*keys)
    keyboard.catch_up()
    assert keyboard.seconds == seconds


def test_plus_and_minus_double_and_halve_the_rate(path: Path) -> None:
    keyboard = Keyboard(path)
    keyboard.type(Key.FASTER, Key.FASTER)
    assert keyboard.replay.rate == 4
    keyboard.type(Key.SLOWER, Key.SLOWER, Key.SLOWER)
    assert keyboard.replay.rate == 0.5


def test_keys_that_are_about_the_view_are_passed_on(path: Path) -> None:
    keyboard = Keyboard(path)
    keyboard.type(Key.QUIT, Key.PAUSE, Key.OPEN, Key.UP)
    assert keyboard.moved == [Key.QUIT, Key.OPEN, Key.UP]


def test_a_change_is_shown_once_and_when_it_has_caught_up(path: Path) -> None:
    keyboard = Keyboard(path)
    keyboard.type()
    keyboard.type(Key.BACK, Key.FASTER)
    keyboard.type()
    assert keyboard.shown == 0
    keyboard.catch_up()
    keyboard.type()
    keyboard.type()
    assert keyboard.shown == 1


def ended(*arguments: str) -> object:
    with pytest.raises(SystemExit) as leaving:
        cli.main(["replay", *arguments])
    return leaving.value.code


@pytest.mark.parametrize(
    "options",
    [
        "--from 5 --until 4",
        "--loop --once",
        "--loop --rate max",
        "--start-paused --rate max",
        "--start-paused",
        "--from -1",
        "--from nan",
        "--until inf",
        "--kinds ,",
    ],
)
def test_what_does_not_go_together_is_one_line_and_status_2(
    path: Path, capsys: pytest.CaptureFixture[str], options: str
) -> None:
    assert ended(str(path), *options.split()) == 2
    printed = capsys.readouterr()
    assert (printed.out, printed.err.count("\n")) == ("", 1)


@pytest.mark.parametrize(
    ("options", "files"),
    [
        ("", 40),
        ("--until 9.5", 10),
        ("--until 9.5 --kinds file.completed", 10),
        ("--kinds work.stolen,gpu.sampled", 0),
    ],
)
def test_once_it_prints_the_state_at_the_end_or_at_a_time(
    path: Path, capsys: pytest.CaptureFixture[str], options: str, files: int
) -> None:
    assert ended(str(path), "--once", "--json", *options.split()) == 0
    totals = json.loads(capsys.readouterr().out)["totals"]
    assert (totals["files_completed"], totals["events_lost"]) == (files, 0)


def test_from_a_time_on_everything_before_it_counts_at_once(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = "--json --from 30 --until 33 --rate 1000 --interval 0.1"
    assert ended(str(path), *options.split()) == 0
    objects = [json.loads(line)["totals"] for line in capsys.readouterr().out.splitlines()]
    assert (objects[-1]["files_completed"], objects[-1]["events_lost"]) == (34, 0)
    assert {each["files_completed"] for each in objects} <= set(range(31, 35))
