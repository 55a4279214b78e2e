"""What is printed, wherever it goes: to a full disk, in an encoding that lacks characters, to a program."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.captures import frames_of, write_capture
from tests.support.lab import Lab
from tests.support.run_files import SAMPLE as INPUTS
from tests.support.run_files import result_names, results

SAMPLE = "試料é"
HARM = "\x1b[2J\u202e\n\x85\u2028\x9b試"
FOR_PEOPLE = ("info", "effect", "whatif", "tail", "replay --rate 1000000")
PICTURES = ("monitor --once", "monitor", "replay --once")
# One for each way to print: a text, lines as they come, lines of a table, pictures, objects, bytes.
EACH_WAY = (
    *("info", "tail", "replay --rate 1000000", "info --json", "tail --jsonl", "monitor --json"),
    *("export", "export --format jsonl", "report -o -"),
)
FOR_PROGRAMS = (
    *("info --json", "effect --json", "whatif --json", "export --format jsonl", "tail --jsonl"),
    *("monitor --once --json", "monitor --json", "replay --once --json", "replay --rate max --json"),
)
OF_NO_CAPTURE = ("doctor", "completion bash", "--help")


def named(lab: Lab, text: str) -> Path:
    """The folder of a run in which everything is called `text`."""
    folder = lab.folder / "run"
    folder.mkdir()
    write_capture(folder / "run.vbus", frames_of(text))
    return folder


@pytest.mark.parametrize("command", [*EACH_WAY, *PICTURES])
def test_a_disk_that_is_full_is_told_in_one_line(lab: Lab, command: str) -> None:
    named(lab, "a")
    assert_told(lab, *command.split(), "run")


@pytest.mark.parametrize("command", OF_NO_CAPTURE)
def test_a_disk_that_is_full_is_told_by_commands_that_read_nothing(lab: Lab, command: str) -> None:
    assert_told(lab, *command.split())


@pytest.mark.parametrize("command", ["monitor", "info"])
def test_a_disk_that_is_full_is_told_whether_or_not_python_buffers(lab: Lab, command: str) -> None:
    named(lab, "a")
    assert_told(lab, *command.split(), "run", unbuffered="1")


@pytest.mark.parametrize("command", PICTURES)
def test_a_reader_that_is_gone_is_status_1(lab: Lab, command: str) -> None:
    named(lab, "a")
    unread = ("bash", "-c", 'set -o pipefail; "$0" "$@" | true')
    ended = lab.start(*command.split(), "run", prefix=unread)
    assert (ended.wait(), ended.stderr) == (1, "")


def test_a_run_whose_lines_cannot_be_written_is_done_and_says_so(lab: Lab) -> None:
    full = ("sh", "-c", 'exec "$0" "$@" >/dev/full')
    ended = lab.start("run", INPUTS / "reads_01.fa", "--out", "out", "--devices", "cpu:1", prefix=full)
    assert ended.wait() == 0
    assert ended.stderr.endswith("virnucpro-bus: the output cannot be written: No space left on device\n")


def test_a_runs_monitor_that_comes_when_the_run_is_over_leaves_it_to_the_run_to_say_so(
    lab: Lab, finished: Path
) -> None:
    full = ("sh", "-c", 'exec "$0" "$@" >/dev/full')
    ended = lab.start("monitor", finished, "--group", "1", prefix=full)
    assert (ended.wait(), ended.stderr) == (0, "")


def test_a_run_without_standard_streams_is_done(lab: Lab) -> None:
    closed = ("sh", "-c", 'exec "$0" "$@" <&- >&- 2>&-')
    ended = lab.start("run", INPUTS / "reads_01.fa", "--out", "out", "--devices", "cpu:1", prefix=closed)
    assert ended.wait() == 0
    assert result_names({"reads_01.fa"}) == set(results(lab.folder / "out"))


def assert_told(lab: Lab, *arguments: str, unbuffered: str = "") -> None:
    full = ("sh", "-c", 'exec "$0" "$@" >/dev/full')
    ended = lab.start(*arguments, prefix=full, PYTHONUNBUFFERED=unbuffered)
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
    assert ended.output.decode("utf-8").count(SAMPLE) == 5


@pytest.mark.parametrize("command", FOR_PROGRAMS)
def test_for_a_program_every_name_is_ascii_and_comes_back_as_it_was(lab: Lab, command: str) -> None:
    named(lab, HARM)
    ended = lab.run(*command.split(), "run")
    assert ended.wait() == 0, ended.stderr
    assert set(ended.output) <= {*range(0x20, 0x7F), ord("\n")}
    assert json.dumps(HARM).encode() in ended.output
