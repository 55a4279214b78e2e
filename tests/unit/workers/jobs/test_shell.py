"""The shell job, with the real /bin/sh."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from virnucpro_bus.clock import ManualClock
from virnucpro_bus.errors import UserError
from workers.jobs import JobContext, check_job, make_job

FASTA = b">a\nACGT\n>b\nACGT\n"


@pytest.fixture
def output(tmp_path: Path) -> Path:
    folder = tmp_path / "out"
    folder.mkdir()
    return folder


def run(command: str, source: Path, output: Path) -> int:
    context = JobContext("cuda:0", "GPU-1", {}, on_progress=lambda _: None, clock=ManualClock())
    return make_job(f"shell:{command}", context)(source, output)


def a_file(folder: Path, name: str = "reads.fa.gz", content: bytes = FASTA) -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def test_every_placeholder_is_filled_in(tmp_path: Path, output: Path) -> None:
    source = a_file(tmp_path, "reads.v1.fa")
    run("printf '%s\\n' {input} {output} {outdir} {stem} {device} > {outdir}/{stem}.txt", source, output)
    lines = (output / "reads.v1.txt").read_text().splitlines()
    assert lines == [str(source), str(output / "reads.v1.fa"), str(output), "reads.v1", "cuda:0"]


def test_output_is_a_file_of_the_inputs_name_in_the_output_folder(tmp_path: Path, output: Path) -> None:
    run("cat {input} > {output}", a_file(tmp_path, "x.fa"), output)
    assert (output / "x.fa").read_bytes() == FASTA


def test_a_command_needs_no_folder_for_temporary_files(
    tmp_path: Path, output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nowhere() -> str:
        raise FileNotFoundError("No usable temporary directory found")

    monkeypatch.setattr(tempfile, "gettempdir", nowhere)
    run("cat {input} > {output}", a_file(tmp_path, "x.fa"), output)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["out", "x.fa", "x.fa"]


def test_doubled_braces_are_literal_braces_for_the_shell(tmp_path: Path, output: Path) -> None:
    run("awk '{{ n++ }} END {{ print n }}' {input} > {output}", a_file(tmp_path, "x.fa"), output)
    assert (output / "x.fa").read_text() == "4\n"


# Any name that a file may have: no slash, no NUL; bytes that are not UTF-8 as the operating system passes them.
names = st.one_of(
    st.binary(min_size=1, max_size=40).map(lambda raw: os.fsdecode(raw.replace(b"/", b"+").replace(b"\0", b"0"))),
    st.text(st.sampled_from("$`\"'\\;&|<>(){}*?[]!#~= \t\n-ax"), min_size=1, max_size=30),
    st.sampled_from(["$(touch pwned)", "`touch pwned`", "'; touch pwned; '", '"; touch pwned; "', "-rf", "a\nb"]),
).filter(lambda name: name not in {".", "..", "out", "copy"})


@settings(max_examples=60)
@given(name=names)
def test_no_file_name_is_ever_taken_for_shell_text(name: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("any")
    output = folder / "out"
    output.mkdir()
    before = os.getcwd()
    os.chdir(folder)
    try:
        source = a_file(folder, name)
        run("cat $(printf %s {input} > /dev/null) {input} > {output}; cp -- {input} {outdir}/copy", source, output)
    finally:
        os.chdir(before)
    assert {path.name for path in output.iterdir()} == {name, "copy"}
    assert (output / name).read_bytes() == FASTA
    assert {path.name for path in folder.iterdir()} == {name, "out"}


@pytest.mark.parametrize(
    "command",
    [
        'cat "{input}"',
        "cat '{input}'",
        "cat `echo {input}`",
        "cat \\{input}",
        "sh -c 'cat {input}'",
        'a="$(wc {input})"',
    ],
)
def test_a_placeholder_inside_quotes_is_refused(command: str) -> None:
    with pytest.raises(UserError, match="quoted already"):
        check_job(f"shell:{command}", {})


@pytest.mark.parametrize(
    "command",
    ['echo "it" {input}', "echo 'a' {input}", 'echo "\\"" {input}', "echo \\' {input}", "echo 'a\\' {input}"],
)
def test_a_placeholder_after_closed_quotes_is_fine(command: str) -> None:
    check_job(f"shell:{command}", {})


@pytest.mark.parametrize(
    "command", ["cat {input", "cat {input} }", "cat {input!r}", "cat {input:>9}", "cat {} {input}"]
)
def test_invalid_braces_are_refused_with_advice(command: str) -> None:
    with pytest.raises(UserError, match=r"\{\{ and \}\}") as caught:
        check_job(f"shell:{command}", {})
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("echo first >&2; echo 'the last' >&2; echo >&2; exit 3 #{input}", "exit status 3: the last"),
        ("exit 3 #{input}", "exit status 3"),
        ("kill -KILL $$ #{input}", "was killed by SIGKILL"),
        ("sh -c 'kill -TERM $$'; exit $? #{input}", "exit status 143 (its program was killed by SIGTERM)"),
        ("printf 'one\\rtwo\\033[2J' >&2; exit 1 #{input}", r"exit status 1: two\x1b[2J"),
        ("printf '\\377x' >&2; exit 1 #{input}", r"exit status 1: \xffx"),
        ("no-such-command-here {input}", "exit status 127: "),
        ("exit 255 #{input}", "exit status 255"),
    ],
)
def test_a_failing_command_is_reported_with_its_status_and_last_line(
    tmp_path: Path, output: Path, command: str, message: str
) -> None:
    with pytest.raises(UserError) as caught:
        run(command, a_file(tmp_path), output)
    assert message in str(caught.value)
    assert str(caught.value).isprintable()


def test_a_long_last_line_is_cut(tmp_path: Path, output: Path) -> None:
    with pytest.raises(UserError) as caught:
        run("head -c 100000 /dev/zero | tr '\\0' x >&2; exit 1 #{input}", a_file(tmp_path), output)
    assert str(caught.value).endswith(": " + "x" * 300)


def test_a_process_left_behind_is_not_waited_for(tmp_path: Path, output: Path) -> None:
    """The process left behind waits for a writer at a fifo, which comes only after the job has returned."""
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    run(f"cat {gate} >/dev/null & : {{input}}", a_file(tmp_path, "x.fa"), output)
    with gate.open("wb") as opened:
        assert opened.writable()


@pytest.mark.parametrize(
    ("name", "content", "sequences"),
    [
        ("x.fa", FASTA, 2),
        ("x.fq", b"@r\nACGT\n+\nIIII\n", 1),
        ("x.faa", FASTA, 2),
        ("x.fa", b"", 0),
        ("x.bam", b"\x1f\x8bnonsense", 1),
        ("x.txt", b"plain words\n", 1),
        ("x.fa", b">a\nACGT\n>b\n\xff\xff\n", 1),
    ],
)
def test_sequences_are_the_records_that_can_be_read_or_one(
    tmp_path: Path, output: Path, name: str, content: bytes, sequences: int
) -> None:
    assert run(": {input}", a_file(tmp_path, name, content), output) == sequences


def test_what_a_command_prints_does_not_reach_our_own_output(
    tmp_path: Path, output: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    run("echo chatter; echo {input} >&2", a_file(tmp_path, "x.fa"), output)
    assert capfd.readouterr() == ("", "")
