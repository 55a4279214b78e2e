"""A run that is refused: one line that says why, before anything is started or touched."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.captures import some_frames, write_capture
from tests.support.in_process import ended, refusal
from tests.support.run_files import SAMPLE
from workers.pool.zygote import Zygote

RUN = ("run", "in", "--out", "out", "--devices", "cpu:1")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, which has an input, and is to stay as it is."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in").mkdir()
    shutil.copy(SAMPLE / "reads_01.fa", tmp_path / "in")
    return tmp_path


def everything_in(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() if path.is_file() else b"" for path in folder.rglob("*")}


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ("--job nonsense", "unknown job 'nonsense'; give embed, sixframe, virnucpro, MODULE:ATTR or 'shell:CMD"),
        ("--job shell:true", "the command has no {input}"),
        ("--job-option chunk", "write KEY=VALUE"),
        ("--job-option size=500", "job sixframe has no option 'size'; it has: chunk"),
        ("--halt soon,fail", "expected never, or WHEN,WHY=VALUE, such as soon,fail=3 or now,success=10%"),
        ("--halt never --max-failures 1", "short for --halt soon,fail=N: give one of them"),
        ("--devices cpu:0", "write cpu:N with N from 1"),
        ("--devices tpu:0", "write auto, cpu:N, cuda:0,1 or GPU UUIDs"),
        ("--devices GPU-of-somebody-else", "GPU GPU-of-somebody-else was not found"),
        ("--weights fast", "must be auto, off or numbers such as 1.0,1.5"),
        ("--weights 1,2,3", "must be one number for each device: 1, not 3"),
        ("--weights 0", "must be finite numbers above 0"),
        ("--interval 0", "is not in the range 0.1<=x<=3600"),
        ("--interval nan", "nan is not a number of seconds"),
        ("--columns state,cmpute", "'cmpute': is not a column (did you mean compute?): expected some of device, "),
        ("--policy sometimes", "'sometimes' is not one of 'off', 'threshold', 'cost'"),
        ("--policy dask", "Dask's own scheduler decides: add --engine dask, or choose another policy"),
        ("--no-such-option", "No such option"),
        ("--force --resume", "give one of them"),
        ("--shard 2/2", "'2/2': is not a shard: they count from 0, and the last of 2 is 1/2"),
        ("--glob in/*.fa", "give in as INPUT, with --glob '*.fa'"),
        ("--glob *.faa", "contains no files that match '*.faa', but 1 other file (reads_01.fa)"),
        ("--files-from none", "none: cannot be read: No such file or directory"),
        ("--null", "is about a list of paths: add --files-from FILE, or - for standard input"),
        ("- --files-from -", "standard input is a list of paths that can be read once: give - once"),
        ("--shard /", "'/': is not a shard: expected I/N, for example 0/4 for the first of 4"),
    ],
)
def test_an_option_that_makes_no_sense_is_refused_before_anything_is_started(
    folder: Path, capsys: pytest.CaptureFixture[str], options: str, why: str
) -> None:
    before = everything_in(folder)
    line = refusal(capsys, *RUN, *options.split())
    assert why in line
    assert refusal(capsys, *RUN, *options.split(), "--dry-run") == line
    assert everything_in(folder) == before


def test_without_dask_the_line_says_how_to_install_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "workers.dask.engine", None)
    assert "pip install 'virnucpro-bus[dask]'" in refusal(capsys, *RUN, "--engine", "dask")


def test_a_refused_run_has_ended_the_zygote_that_it_had_started(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    started: list[subprocess.Popen[bytes] | None] = []

    class Watched(Zygote):
        def start(self) -> None:
            super().start()
            started.append(self._process)

    monkeypatch.setattr("workers.cli.run.Zygote", Watched)
    refusal(capsys, *RUN, "--job", "nonsense")
    assert [process is not None and process.returncode is not None for process in started] == [True]


def test_a_run_without_an_input_is_refused_with_what_to_give(capsys: pytest.CaptureFixture[str]) -> None:
    line = refusal(capsys, "run", "--out", "out", "--devices", "cpu:1")
    assert line.startswith("no INPUT: give files or folders, or - for a list of paths on standard input; see ")


def test_json_without_a_dry_run_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert "add --dry-run, or use virnucpro-bus monitor --json" in refusal(capsys, *RUN, "--json")


def test_a_missing_input_is_refused_and_makes_no_folder(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = refusal(capsys, "run", "in", "missing.fa", "--out", "out", "--devices", "cpu:1")
    assert line == f"{folder}/missing.fa: does not exist; check the path"
    assert not (folder / "out").exists()


def test_a_folder_without_sequence_files_is_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "nothing").mkdir()
    line = refusal(capsys, "run", "nothing", "--out", "out", "--devices", "cpu:1")
    assert line.startswith(f"{folder}/nothing: contains no sequence files")


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("", "--log-file: the name is empty"),
        (".", "--log-file .: is a folder"),
        ("run.vbus", "--log-file run.vbus: is reserved for other files of the run"),
        ("results/log.csv", "--log-file results/log.csv: is reserved for other files of the run"),
        ("sub/log.csv", "the folder {here}/out/sub does not exist; create it first"),
        ("bad\nname/x", "--log-file bad\\x0aname/x: the folder {here}/out/bad\\x0aname does not exist"),
    ],
)
@pytest.mark.parametrize("force", [[], ["--force"]], ids=["", "force"])
def test_a_log_that_cannot_be_is_refused_before_anything_is_touched(
    folder: Path, capsys: pytest.CaptureFixture[str], name: str, why: str, force: list[str]
) -> None:
    (folder / "out" / "results").mkdir(parents=True)
    write_capture(folder / "out" / "run.vbus", some_frames(3))
    before = everything_in(folder)
    assert why.format(here=folder) in refusal(capsys, *RUN, "--log-file", name, *force)
    assert everything_in(folder) == before


def test_a_log_that_cannot_be_makes_no_folder(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    refusal(capsys, *RUN, "--log-file", "sub/log.csv")
    assert not (folder / "out").exists()


def test_results_that_are_there_without_a_run_are_not_written_over(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "out" / "results").mkdir(parents=True)
    precious = folder / "out" / "results" / "reads_01.protein.faa"
    precious.write_text("precious")
    assert "already holds results; choose another output folder" in refusal(capsys, *RUN)
    assert precious.read_text() == "precious"


@pytest.mark.parametrize(("out", "why"), [("plain", "is a file"), ("plain/deeper", "is not a folder")])
def test_an_output_path_that_is_a_file_is_refused(
    folder: Path, capsys: pytest.CaptureFixture[str], out: str, why: str
) -> None:
    (folder / "plain").write_text("precious")
    assert why in refusal(capsys, "run", "in", "--out", out, "--devices", "cpu:1")
    assert (folder / "plain").read_text() == "precious"


def test_a_shard_to_which_no_file_falls_is_done_at_once_and_makes_no_folder(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ended(*RUN, "--shard", "1/2") == 0
    said = capsys.readouterr()
    line = "virnucpro-bus: shard 1/2: 0 of 1 files, 0.0 % of the estimated work: nothing to do\n"
    assert (said.out, said.err) == ("", line)
    assert not (folder / "out").exists()
