"""What a user can get wrong costs one clear line on stderr, the right exit status, and nothing else."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.support.lab import Lab, Started
from tests.support.run_files import SAMPLE, result_names, results, summary

ONE_WORKER = ("--devices", "cpu:1", "--no-dashboard")


@pytest.fixture
def inputs(lab: Lab) -> Path:
    """A folder with two good files."""
    folder = lab.folder / "in"
    folder.mkdir()
    for name in ("reads_01.fa", "reads_05.fa"):
        shutil.copy(SAMPLE / name, folder)
    return folder


def refusal(ended: Started) -> str:
    """The one line with which a command has refused to work."""
    assert (ended.wait(), ended.stdout) == (2, "")
    (line,) = ended.stderr.splitlines()
    assert line.startswith("virnucpro-bus: ")
    return line.removeprefix("virnucpro-bus: ")


# Single files of a run


BAD_FILES = {
    "empty.fa": (b"", "contains no FASTA record"),
    "no_header.fa": (b"ACGT\nACGT\n", "does not begin with a FASTA header ('>')"),
    "binary.fa": (bytes(range(256)) * 8, "does not begin with a FASTA header"),
    "binary_later.fa": (
        b">one\nACGT\n>two\nAC\x00GT\x1b[2J\n",
        r"line 4: '\x00' in record 'two' is not a nucleotide",
    ),
    "glued.fa": (b">one\nACGT>two\nACGT\n", "line 2: '>' within the sequence of record 'one'"),
    "protein.fa": (b">one\nMKTLE\n", "line 2: 'L' in record 'one' is not a nucleotide"),
    "picture.fa.gz": (b"\x89PNG\r\n\x1a\n" + bytes(100), "picture.fa.gz: "),
    "cut.fa.gz": ((SAMPLE / "reads_06.fa.gz").read_bytes()[:20_000], "Compressed file ended before"),
}


def test_a_file_that_is_no_fasta_costs_that_file_alone(lab: Lab, inputs: Path) -> None:
    for name, (content, _) in BAD_FILES.items():
        (inputs / name).write_bytes(content)
    ended = lab.run("run", "in", "--out", "out", *ONE_WORKER)
    assert ended.wait() == 3
    lines = ended.stderr.splitlines()
    assert len(lines) == len(BAD_FILES)
    for line, name in zip(lines, sorted(BAD_FILES), strict=True):
        assert line.startswith(f"virnucpro-bus: failed: {name}: ")
        assert BAD_FILES[name][1] in line
        assert line.isprintable()
    assert f"2 of {len(BAD_FILES) + 2} files done" in ended.stdout
    assert results(lab.folder / "out").keys() == result_names(["reads_01.fa", "reads_05.fa"])
    found = summary(lab.folder / "out")
    assert found["failures"].keys() == BAD_FILES.keys()
    assert (found["totals"]["files_completed"], found["totals"]["files_failed"]) == (2, len(BAD_FILES))


def test_a_name_that_is_not_unique_is_reported_for_the_first_files_only(lab: Lab) -> None:
    (lab.folder / "in").mkdir()
    for number in range(12):
        (lab.folder / "in" / f"twins_{number:02}.fa").write_text(">c1\nGCCGCC\n>c1\nGCCGCC\n")
    ended = lab.run("run", "in", "--out", "out", *ONE_WORKER)
    assert ended.wait() == 0
    lines = ended.stderr.splitlines()
    assert [line.split(": ")[1] for line in lines[:-1]] == [f"twins_{number:02}.fa" for number in range(10)]
    assert all("several records are named 'c1'" in line for line in lines[:-1])
    assert "warns of more files" in lines[-1]


def test_a_gzipped_file_gives_what_the_plain_one_gives(lab: Lab, inputs: Path) -> None:
    shutil.copy(SAMPLE / "reads_16.fa.gz", inputs)
    ended = lab.run("run", "in", "--out", "out", *ONE_WORKER)
    assert ended.wait() == 0, ended.stderr
    assert results(lab.folder / "out").keys() == result_names(["reads_01.fa", "reads_05.fa", "reads_16.fa"])


# What is to be worked on


def test_what_is_left_out_of_a_folder_is_named_in_one_line(lab: Lab, inputs: Path) -> None:
    (inputs / "reads_01.protein.faa").write_text(">p\nMKTLE\n")
    (inputs / "notes.txt").write_text("two samples\n")
    ended = lab.run("run", "in", "--out", "out", *ONE_WORKER)
    assert ended.wait() == 0
    assert ended.stderr == (
        f"virnucpro-bus: {inputs}: left out: 1 protein file (reads_01.protein.faa), 1 other file (notes.txt); "
        "to include files, name them\n"
    )
    assert results(lab.folder / "out").keys() == result_names(["reads_01.fa", "reads_05.fa"])


def test_an_unreadable_file_or_folder_is_refused(lab: Lab, inputs: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root can read everything")
    (inputs / "reads_01.fa").chmod(0)
    assert "reads_01.fa: cannot be read" in refusal(lab.run("run", "in", "--out", "out", *ONE_WORKER))
    inputs.chmod(0)
    try:
        assert "cannot list the folder" in refusal(lab.run("run", "in", "--out", "out", *ONE_WORKER))
    finally:
        inputs.chmod(0o700)


def test_two_inputs_of_the_same_name_have_results_of_their_own(lab: Lab) -> None:
    for folder, name in (("a", "reads_07.fa"), ("b", "reads_08.fa")):
        (lab.folder / folder).mkdir()
        shutil.copy(SAMPLE / name, lab.folder / folder / "same.fa")
    ended = lab.run("run", "a/same.fa", "b/same.fa", "--out", "out", *ONE_WORKER)
    assert ended.wait() == 0, ended.stderr
    alone = lab.run("run", "b/same.fa", "--out", "alone", *ONE_WORKER)
    assert alone.wait() == 0, alone.stderr
    both = results(lab.folder / "out")
    assert both.keys() == {f"{folder}+same.fa/{name}" for folder in "ab" for name in result_names(["same.fa"])}
    assert {name: both[f"b+same.fa/{name}"] for name in result_names(["same.fa"])} == results(lab.folder / "alone")


def test_a_file_that_is_given_twice_is_worked_on_once(lab: Lab, inputs: Path) -> None:
    (lab.folder / "link.fa").symlink_to(inputs / "reads_01.fa")
    ended = lab.run("run", "in", "in/reads_01.fa", "link.fa", "--out", "out", *ONE_WORKER)
    assert ended.wait() == 0, ended.stderr
    assert [line.rpartition(": ")[2] for line in ended.stderr.splitlines()] == ["processed once", "processed once"]
    assert summary(lab.folder / "out")["totals"]["files_total"] == 2


# Where it goes


def test_a_folder_that_holds_a_run_is_refused_and_left_as_it_is(lab: Lab, inputs: Path) -> None:
    assert lab.run("run", "in", "--out", "out", *ONE_WORKER).wait() == 0
    out = lab.folder / "out"
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    for command in (("run", "in/reads_05.fa", "--out", "out", *ONE_WORKER), ("hub", "out")):
        line = refusal(lab.run(*command))
        assert line.startswith("out: already holds a run (run.vbus); choose another folder")
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before


def test_an_output_folder_that_may_not_be_written_is_refused(lab: Lab, inputs: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root can write everywhere")
    (lab.folder / "locked").mkdir(mode=0o500)
    line = refusal(lab.run("run", "in", "--out", "locked/out", *ONE_WORKER))
    assert "cannot be written" in line
