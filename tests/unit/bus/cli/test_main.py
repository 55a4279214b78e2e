"""The command itself: how it finds subcommands, and how it ends."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import click
import pytest

from tests.support.captures import some_frames, write_capture
from tests.support.in_process import ended, refusal
from tests.support.paths import ROOT
from virnucpro_bus.cli.commands import Subcommands
from virnucpro_bus.errors import InputError
from virnucpro_bus.text import visible


@pytest.mark.parametrize(
    ("command", "why"),
    [
        ("run", "Missing option '--out'; see "),
        ("run in", "Missing option '--out'; see "),
        ("walk", "No such command 'walk'; see "),
        ("moniter in", "No such command 'moniter' (did you mean monitor?); see "),
        ("info --nonsense x", "No such option '--nonsense'; see "),
        ("hub --nonsense x", " hub --help"),
        ("monitor nowhere", "nowhere: is neither a run folder nor an address"),
        ("monitor in", "in: no run is live here"),
        ("monitor nonsense://nowhere", "is not a valid address: "),
        ("monitor in ./in", "is given twice"),
        (f"monitor in --server-key {'ab' * 32}", "--server-key needs an address tcp://"),
        ("monitor tcp://a:1 tcp://b:1" + f" --server-key {'ab' * 32}" * 3, "once for each of them"),
        ("monitor tcp://a:1 --server-key abc", "is not a key"),
        ("replay in/reads_01.fa", "in/reads_01.fa: is not a capture of virnucpro-bus"),
        ("replay in --rate 0", "expected a number from 0.001 to 1000000, or max"),
        ("info in/reads_01.fa", "in/reads_01.fa: is not a capture of virnucpro-bus"),
        ("hub in/reads_01.fa", "is a file"),
        ("effect nothing-here", "nothing-here"),
        ("whatif nothing-here", "nothing-here"),
        ("effect bare.vbus", "contains no events"),
        ("whatif bare.vbus", "contains no events"),
    ],
)
def test_every_command_refuses_what_it_cannot_use_in_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, command: str, why: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "reads_01.fa").write_text(">one\nACGT\n")
    write_capture(tmp_path / "bare.vbus", [])
    assert why in refusal(capsys, *command.split())


def test_a_users_mistake_is_one_line_and_status_2(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert ended("info", str(tmp_path / "missing.vbus")) == 2
    said = capsys.readouterr()
    expected = f"virnucpro-bus: {tmp_path}/missing.vbus: cannot be read: No such file or directory\n"
    assert (said.out, said.err) == ("", expected)


def raised_by_a_command(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> object:
    """The exit status when a subcommand raises `error`."""

    @click.command()
    def failing() -> None:
        raise error

    monkeypatch.setattr(Subcommands, "get_command", lambda self, context, name: failing)
    return ended("failing")


def test_what_an_error_quotes_cannot_drive_the_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert raised_by_a_command(monkeypatch, InputError("\x1b[2Jevil\u202e.fa: is empty")) == 2
    assert capsys.readouterr().err == "virnucpro-bus: \\x1b[2Jevil\\u202e.fa: is empty\n"


@pytest.mark.parametrize("end", ["\n", "\r", "\x85", "\u2028"])
@pytest.mark.parametrize("kind", [InputError, click.UsageError])
def test_whatever_ends_a_line_in_a_name_is_seen_in_the_one_line_of_an_error(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    kind: Callable[[str], Exception],
    end: str,
) -> None:
    assert raised_by_a_command(monkeypatch, kind(f"two{end}lines")) == 2
    (line,) = capsys.readouterr().err.removesuffix("\n").splitlines()
    assert visible(f"two{end}lines") in line


@pytest.mark.parametrize("arguments", ["info\n", "info a.vbus two\nlines", "info --two\nlines", "completion t\nl"])
def test_whatever_is_wrong_with_a_command_line_is_one_line(
    capsys: pytest.CaptureFixture[str], arguments: str
) -> None:
    assert ended(*arguments.split(" ")) == 2
    assert capsys.readouterr().err.removesuffix("\n").isprintable()


def test_choices_that_are_listed_below_each_other_are_put_in_the_one_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert ended("completion") == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "Choose from: bash, zsh, fish; see " in line


@pytest.mark.parametrize("command", [["doctor"], ["monitor"]], ids=" ".join)
def test_a_current_folder_that_has_been_removed_is_one_line_and_no_traceback(
    tmp_path: Path, command: list[str]
) -> None:
    program = f"import os; os.rmdir('../gone'); from virnucpro_bus.cli.main import main; main({command})"
    folder = tmp_path / "gone"
    folder.mkdir()
    ended = subprocess.run(
        [sys.executable, "-c", program], cwd=folder, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 1
    assert ended.stderr == "virnucpro-bus: the current folder: it has been removed; change to another one\n"


def test_what_the_system_refuses_is_one_line_with_the_name_and_status_1(
    capsys: pytest.CaptureFixture[str],
) -> None:
    name = "x" * 5000
    assert ended("info", name) == 1
    assert capsys.readouterr().err == f"virnucpro-bus: {name}: File name too long\n"


@pytest.mark.parametrize("command", ["effect", "export", "monitor", "replay", "tail", "whatif"])
def test_a_name_that_is_too_long_is_no_traceback(capsys: pytest.CaptureFixture[str], command: str) -> None:
    assert ended(command, "x" * 5000) == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_a_table_whose_name_is_too_long_is_no_traceback(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    write_capture(tmp_path / "run.vbus", some_frames(3))
    assert ended("export", str(tmp_path), "-o", "x" * 300) == 1
    assert capsys.readouterr().err.endswith("x: File name too long\n")


@pytest.mark.parametrize("error", [KeyboardInterrupt(), click.Abort()])
def test_an_interrupt_is_status_130_and_no_traceback(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    assert raised_by_a_command(monkeypatch, error) == 130
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize("status", [0, 3, None])
def test_what_a_command_returns_is_the_exit_status(monkeypatch: pytest.MonkeyPatch, status: int | None) -> None:
    command = click.Command("returning", callback=lambda: status)
    monkeypatch.setattr(Subcommands, "get_command", lambda self, context, name: command)
    assert ended("returning") == (status or 0)


def test_it_prints_its_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert ended("--version") == 0
    assert capsys.readouterr().out.strip() == f"virnucpro-bus, version {version('virnucpro-bus')}"


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert ended("--help") == 0
    help_text = capsys.readouterr().out
    names = ["doctor", "hub", "info", "monitor", "record", "replay", "run", "sample", "tail"]
    assert [name for name in names if f"\n  {name} " in help_text] == names


@pytest.mark.parametrize("command", ["hub", "info", "record", "tail"])
def test_the_commands_of_the_bus_have_help_with_an_example(
    capsys: pytest.CaptureFixture[str], command: str
) -> None:
    assert ended(command, "--help") == 0
    assert f"virnucpro-bus {command} " in capsys.readouterr().out.partition("Example")[2]


def test_a_reader_that_goes_away_is_no_traceback(tmp_path: Path) -> None:
    write_capture(tmp_path / "run.vbus", some_frames(3))
    command = [sys.executable, "-m", "virnucpro_bus", "info", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        assert process.stderr.read() == ""
    assert process.returncode == 1


INTERRUPTED_IMPORT = """
import os, signal, sys

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == module:
            os.kill(os.getpid(), signal.SIGINT)

module = sys.argv.pop(1)
sys.meta_path.insert(0, Finder())
from virnucpro_bus.__main__ import main
main()
"""


@pytest.mark.parametrize("module", ["virnucpro_bus.cli.main", "click", "workers.cli.run", "workers.pool.pool"])
def test_ctrl_c_during_the_imports_ends_the_command_without_a_traceback(module: str, tmp_path: Path) -> None:
    (tmp_path / "a.fa").write_text(">a\nACGT\n")
    arguments = ["run", str(tmp_path / "a.fa"), "--out", str(tmp_path / "out"), "--devices", "cpu:1"]
    command = [sys.executable, "-c", INTERRUPTED_IMPORT, module, *arguments]
    ended = subprocess.run(command, capture_output=True, cwd=ROOT, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (130, b"", b"")
