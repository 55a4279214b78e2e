"""The shell job, with the real shells."""

from __future__ import annotations

import gzip
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from virnucpro_bus.clock import ManualClock
from virnucpro_bus.errors import EveryFileError, UserError
from virnucpro_bus.logs.attempt_logs import AttemptLogs
from workers.jobs import JobContext, make_job
from workers.jobs.checked_job import check_job

FASTA = b">a\nACGT\n>b\nACGT\n"


@pytest.fixture
def output(tmp_path: Path) -> Path:
    folder = tmp_path / "out"
    folder.mkdir()
    return folder


@pytest.fixture
def logs() -> Iterator[AttemptLogs]:
    with closing(AttemptLogs()) as made:
        yield made


def make_context() -> JobContext:
    return JobContext("cuda:0", "GPU-1", {}, on_progress=lambda *_: None, clock=ManualClock())


def run(command: str, source: Path, output: Path) -> int:
    return make_job(f"shell:{command}", make_context())(source, output)


def a_file(folder: Path, name: str = "reads.fa.gz", content: bytes = FASTA) -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def test_every_placeholder_is_filled_in(tmp_path: Path, output: Path) -> None:
    source = a_file(tmp_path, "reads.v1.fa")
    run("printf '%s\\n' {input} {output} {output:.txt} {outdir} {stem} {device} > {output}", source, output)
    lines = (output / "reads.v1.fa").read_text().splitlines()
    paths = [source, output / "reads.v1.fa", output / "reads.v1.txt", output]
    assert lines == [*map(str, paths), "reads.v1", "cuda:0"]


def test_output_is_a_file_of_the_inputs_name_in_the_output_folder(tmp_path: Path, output: Path) -> None:
    run("cat {input} > {output}", a_file(tmp_path, "x.fa"), output)
    assert (output / "x.fa").read_bytes() == FASTA


def test_output_with_an_ending_is_a_file_of_the_inputs_stem(tmp_path: Path, output: Path) -> None:
    command = "cp {input} {output:.tsv}; cp {input} {output:.x y.gz}; cat {input} >> {output:.tsv}"
    run(command, a_file(tmp_path, "reads.fa.gz"), output)
    assert {path.name: path.read_bytes() for path in output.iterdir()} == {
        "reads.tsv": FASTA * 2,
        "reads.x y.gz": FASTA,
    }


@pytest.mark.parametrize("ending", ["tsv", ".a/b", ".{stem}", ".", ">9"])
def test_an_ending_that_is_none_is_refused(ending: str) -> None:
    with pytest.raises(UserError, match=r"\{output:\.ENDING\}"):
        check_job(f"shell:cat {{input}} > {{output:{ending}}}", {})


@pytest.mark.parametrize("command", [": {input} {output}", "cp {input} {outdir}/other; : {output:.tsv}"])
def test_a_command_that_has_not_made_its_output_fails(tmp_path: Path, output: Path, command: str) -> None:
    with pytest.raises(
        UserError, match=r"has not made \{output\}: there is no reads\.(fa|tsv) in the output folder"
    ):
        run(command, a_file(tmp_path, "reads.fa"), output)


@pytest.mark.parametrize(
    "command", ["cp {input} {output}; : {output:.tsv}", "cp {input} {output}.idx", "mkdir {output}; : {input}"]
)
def test_a_command_may_make_one_of_several_outputs_a_folder_or_files_whose_names_begin_so(
    tmp_path: Path, output: Path, command: str
) -> None:
    assert run(command, a_file(tmp_path, "x.fa"), output) == 2


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
        ("false; true #{input}", "exit status 1"),
        ("exit 4 | cat #{input}", "exit status 4"),
        ("sh -c 'kill -KILL $$' | cat #{input}", "exit status 137 (its program was killed by SIGKILL)"),
        ("x=$(exit 5); true #{input}", "exit status 5"),
        ("cat $no_such_variable {input}", "no_such_variable: unbound variable"),
        ("yes | head -n 1 #{input}", "SIGPIPE: a program in a pipe ended before it had read everything"),
        ("grep no-such-line {input} | cat", "exit status 1"),
    ],
)
def test_a_failing_command_is_reported_with_its_status_and_last_line(
    tmp_path: Path, output: Path, command: str, message: str
) -> None:
    with pytest.raises(UserError) as caught:
        run(command, a_file(tmp_path), output)
    assert message in str(caught.value)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("command", ["no-such-command-here {input}", "/dev/null {input}", "no-such | cat {input}"])
def test_a_program_that_is_not_there_fails_every_file(tmp_path: Path, output: Path, command: str) -> None:
    with pytest.raises(EveryFileError, match=r"exit status 12[67]"):
        run(command, a_file(tmp_path), output)


def test_a_compressed_file_that_is_cut_fails_a_pipe(tmp_path: Path, output: Path) -> None:
    source = a_file(tmp_path, "x.fa.gz", gzip.compress(FASTA * 1000)[:-20])
    with pytest.raises(UserError, match="unexpected end of file"):
        run("gzip -dc {input} | grep -v '>' > {output}", source, output)


@pytest.mark.parametrize(
    "command",
    [
        "grep no-such-line {input} > {output} || [ $? = 1 ]",
        "{{ yes || [ $? = 141 ]; }} | head -n 1 > {output} # {input}",
        "set +o pipefail; false | cat {input} > {output}",
    ],
)
def test_a_command_can_accept_a_status_that_is_not_0(tmp_path: Path, output: Path, command: str) -> None:
    assert run(command, a_file(tmp_path, "x.fa"), output) == 2
    assert (output / "x.fa").exists()


@pytest.fixture
def no_bash(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)


@pytest.mark.usefixtures("no_bash")
def test_without_bash_sh_runs_the_command_and_a_failure_outside_a_pipe_counts(
    tmp_path: Path, output: Path
) -> None:
    assert run("cat {input} | tr A C > {output}", a_file(tmp_path, "x.fa"), output) == 2
    assert (output / "x.fa").read_bytes() == FASTA.replace(b"A", b"C")
    for command in ("false; true #{input}", "echo $no_such_variable {input}"):
        with pytest.raises(UserError, match="ended with exit status"):
            run(command, a_file(tmp_path), output)


def test_a_users_startup_file_of_bash_is_read_before_the_options_are_set(
    tmp_path: Path, output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    startup = a_file(tmp_path, "env", b"false\necho $unset\nmodule() { echo loaded; }\n")
    monkeypatch.setenv("BASH_ENV", str(startup))
    run("module load {input} > {output}", a_file(tmp_path, "x.fa"), output)
    assert (output / "x.fa").read_text() == "loaded\n"


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
        ("x.fa", ">größe é\nACGT\n>b\nMKTLE*\n".encode("latin-1"), 2),
        ("x.fa.gz", gzip.compress(FASTA, mtime=0), 2),
    ],
)
def test_sequences_are_the_records_of_the_input(
    tmp_path: Path, output: Path, name: str, content: bytes, sequences: int
) -> None:
    context = make_context()
    assert make_job("shell:: {input}", context)(a_file(tmp_path, name, content), output) == sequences
    assert context.warning is None


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("x.bam", b"\x1f\x8bnonsense"),
        ("x.txt", b"plain words\n"),
        ("x.fa.gz", gzip.compress(FASTA * 1000, mtime=0)[:-20]),
        ("x.fq", b"@r\nACGT\n+\nII\n"),
        ("x.fq", b"@r\nACGT\n+\n"),
    ],
)
def test_an_input_whose_sequences_cannot_be_counted_counts_as_none_with_a_warning(
    tmp_path: Path, output: Path, name: str, content: bytes
) -> None:
    context = make_context()
    assert make_job("shell:: {input}", context)(a_file(tmp_path, name, content), output) == 0
    assert context.warning is not None
    assert "cannot be counted" in context.warning


def test_what_a_command_prints_is_in_the_attempts_log_in_order_and_the_reason_has_the_last_line_of_stderr(
    tmp_path: Path, output: Path, logs: AttemptLogs, capfd: pytest.CaptureFixture[str]
) -> None:
    command = "echo 1; echo problem >&2; echo 2; exit 1 #{input}"
    with logs.of(tmp_path, "x.fa", 1), pytest.raises(UserError, match=r"exit status 1: problem$"):
        run(command, a_file(tmp_path, "x.fa"), output)
    assert (tmp_path / "logs" / "x.fa.1.log").read_text() == "1\nproblem\n2\n"
    assert capfd.readouterr() == ("", "")


def test_of_a_command_that_floods_its_log_the_reason_has_the_last_line(
    tmp_path: Path, output: Path, logs: AttemptLogs
) -> None:
    log = tmp_path / "logs" / "x.fa.1.log"
    flood = f"until grep -q 'left out' {log} 2>/dev/null; do head -c 2200000 /dev/zero | tr '\\0' '\\n'; done"
    with logs.of(tmp_path, "x.fa", 1), pytest.raises(UserError, match=r"exit status 1: problem$"):
        run(f"echo first >&2; {flood}; echo problem >&2; exit 1 #{{input}}", a_file(tmp_path, "x.fa"), output)


def test_without_a_line_on_stderr_the_reason_is_the_status_alone(
    tmp_path: Path, output: Path, logs: AttemptLogs
) -> None:
    with logs.of(tmp_path, "x.fa", 1), pytest.raises(UserError, match=r"exit status 1$"):
        run("echo 1; exit 1 #{input}", a_file(tmp_path, "x.fa"), output)
