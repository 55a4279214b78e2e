"""What is printed, wherever it goes: to a full disk, in an encoding that lacks characters, to a program."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.captures import frames_of, write_capture
from tests.support.lab import Lab

SAMPLE = "試料é"
HARM = "\x1b[2J\u202e\n\x85\u2028\x9b試"
FOR_PEOPLE = ("info", "effect", "whatif", "tail", "replay --rate 1000000")
PICTURES = ("monitor --once", "monitor", "replay --once")
FOR_PROGRAMS = (
    *("info --json", "effect --json", "whatif --json", "export --format jsonl", "tail --jsonl"),
    *("monitor --once --json", "monitor --json", "replay --once --json", "replay --rate max --json"),
)
OF_NO_CAPTURE = ("doctor", "doctor --json", "completion bash", "--help", "export --help")


def named(lab: Lab, text: str) -> Path:
    """The folder of a run in which everything is called `text`."""
    folder = lab.folder / "run"
    folder.mkdir()
    write_capture(folder / "run.vbus", frames_of(text))
    return folder


@pytest.mark.parametrize("command", [*FOR_PEOPLE, *PICTURES, *FOR_PROGRAMS, "export"])
def test_a_disk_that_is_full_is_told_in_one_line(lab: Lab, command: str) -> None:
    named(lab, "a")
    assert_told(lab, *command.split(), "run")


@pytest.mark.parametrize("command", OF_NO_CAPTURE)
def test_a_disk_that_is_full_is_told_by_commands_that_read_nothing(lab: Lab, command: str) -> None:
    assert_told(lab, *command.split())


def assert_told(lab: Lab, *arguments: str) -> None:
    full = ("sh", "-c", 'exec "$0" "$@" >/dev/full')
    ended = lab.start(*arguments, prefix=full, PYTHONUNBUFFERED="")
    assert ended.wait() == 1
    assert ended.stderr == "virnucpro-bus: the output cannot be written: No space left on device\n"


@pytest.mark.parametrize("command", FOR_PEOPLE)
def test_what_an_encoding_lacks_is_written_out(lab: Lab, command: str) -> None:
    named(lab, SAMPLE)
    ended = lab.run(*command.split(), "run", PYTHONIOENCODING="latin-1")
    assert (ended.wait(), ended.stderr) == (0, "")
    assert "\\u8a66\\u6599é".encode("latin-1") in ended.output


@pytest.mark.parametrize("encoding", ["latin-1", "utf-8"])
def test_an_exported_table_is_utf_8_whatever_the_terminals_encoding(lab: Lab, encoding: str) -> None:
    named(lab, SAMPLE)
    ended = lab.run("export", "run", PYTHONIOENCODING=encoding)
    assert ended.wait() == 0, ended.stderr
    assert ended.output.decode("utf-8").count(SAMPLE) == 3


@pytest.mark.parametrize("command", FOR_PROGRAMS)
def test_for_a_program_every_name_is_ascii_and_comes_back_as_it_was(lab: Lab, command: str) -> None:
    named(lab, HARM)
    ended = lab.run(*command.split(), "run")
    assert ended.wait() == 0, ended.stderr
    assert set(ended.output) <= {*range(0x20, 0x7F), ord("\n")}
    assert json.dumps(HARM).encode() in ended.output
