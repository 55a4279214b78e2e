"""`run --log-file`: where the metrics log of a run goes, and what is never taken for one and removed."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.captures import some_frames, write_capture
from tests.support.lab import Lab, Started
from tests.support.run_files import SAMPLE
from virnucpro_bus.metrics_log_format import SIGNATURE, is_metrics_log

INPUT = SAMPLE / "reads_01.fa"


def run(lab: Lab, *arguments: str | Path) -> Started:
    return lab.run("run", INPUT, "--out", "out", "--devices", "cpu:1", "--no-dashboard", *arguments)


@pytest.fixture
def out(lab: Lab) -> Path:
    """The folder of a run that is over, without a log."""
    folder = lab.folder / "out"
    (folder / "results").mkdir(parents=True)
    write_capture(folder / "run.vbus", some_frames(3))
    return folder


def rows(log: Path) -> int:
    assert is_metrics_log(log)
    return log.read_bytes().count(b"\n") - 1


@pytest.mark.parametrize("name", ["log.csv", "{lab}/log.csv", "../log.csv"])
def test_the_log_is_written_where_it_was_asked_for(lab: Lab, name: str) -> None:
    ended = run(lab, "--log-file", name.format(lab=lab.folder))
    assert ended.wait() == 0, ended.stderr
    assert rows(lab.folder / "out" / name.format(lab=lab.folder)) > 0
    assert not (lab.folder / "out" / "gpu_metrics.log").exists()


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("", "--log-file: the name is empty"),
        (".", "--log-file .: is a folder"),
        ("run.vbus", "--log-file run.vbus: is reserved for other files of the run"),
        ("results/log.csv", "--log-file results/log.csv: is reserved for other files of the run"),
        ("sub/log.csv", "the folder {lab}/out/sub does not exist; create it first"),
        ("bad\nname/x", "--log-file bad\\x0aname/x: the folder {lab}/out/bad\\x0aname does not exist"),
    ],
)
@pytest.mark.parametrize("force", [[], ["--force"]], ids=["", "force"])
def test_a_log_that_cannot_be_is_refused_in_a_line_before_anything_is_touched(
    lab: Lab, out: Path, name: str, why: str, force: list[str]
) -> None:
    before = everything_in(out)
    refused = run(lab, "--log-file", name, *force)
    assert refused.wait() == 2
    (line,) = refused.stderr.splitlines()
    assert why.format(lab=lab.folder) in line
    assert everything_in(out) == before


def everything_in(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() if path.is_file() else b"" for path in folder.rglob("*")}


def test_a_log_that_cannot_be_makes_no_folder(lab: Lab) -> None:
    assert run(lab, "--log-file", "sub/log.csv").wait() == 2
    assert not (lab.folder / "out").exists()


def folder(path: Path) -> None:
    path.mkdir()
    (path / "precious").write_text("precious")


FOREIGN: dict[str, Callable[[Path], None]] = {
    "folders": folder,
    "texts": lambda path: void(path.write_text("precious\n")),
    "links": lambda path: path.symlink_to("results"),
}


def void(_: object) -> None: ...


@pytest.mark.parametrize("make", FOREIGN.values(), ids=FOREIGN)
def test_beginning_anew_removes_nothing_that_is_no_metrics_log(
    lab: Lab, out: Path, make: Callable[[Path], None]
) -> None:
    places = [out / "log.csv.1", out / "log.csv.9", lab.folder / "log.csv.1", lab.folder / "results"]
    for place in places:
        make(place)
    before = {place: os.lstat(place).st_ino for place in places}
    for name in ("log.csv", "../log.csv"):
        ended = run(lab, "--log-file", name, "--force")
        assert ended.wait() == 0, ended.stderr
    assert {place: os.lstat(place).st_ino for place in places} == before
    assert all((place / "precious").exists() for place in places if place.is_dir() and not place.is_symlink())


def test_beginning_anew_leaves_a_text_in_the_place_of_the_log(lab: Lab, out: Path) -> None:
    (out / "log.csv").write_text("precious\n")
    assert run(lab, "--log-file", "log.csv", "--force").wait() == 0
    assert (out / "log.csv").read_text() == "precious\n"


def test_beginning_anew_begins_the_log_anew_in_the_run_folder_and_goes_on_with_one_outside(lab: Lab) -> None:
    inside, outside = lab.folder / "out" / "log.csv", lab.folder / "log.csv"
    for log in (inside, outside):
        assert run(lab, "--log-file", log, "--force").wait() == 0
        with log.open("ab") as file:
            file.write(b"before\r\n")
        assert run(lab, "--log-file", log, "--force").wait() == 0
    assert b"before" not in inside.read_bytes()
    assert b"before" in outside.read_bytes()
    assert outside.read_bytes().count(SIGNATURE) == 1


# A run that cannot begin.


def cannot_begin(lab: Lab, *arguments: str | Path) -> None:
    ended = run(lab, *arguments, "--interval", "0.1", "--job", "user_jobs:NoModel")
    assert ended.wait() == 2, ended.stderr
    assert "the job user_jobs:NoModel cannot be run" in ended.stderr


def test_a_run_that_cannot_begin_takes_its_own_log_away(lab: Lab) -> None:
    cannot_begin(lab)
    assert os.listdir(lab.folder / "out") == ["logs"]


PRECIOUS = {
    "text": b"precious\n",
    "log": SIGNATURE + b",more\r\n",
}


@pytest.mark.parametrize("content", PRECIOUS.values(), ids=PRECIOUS)
@pytest.mark.parametrize("name", ["out/log.csv", "log.csv"])
def test_a_run_that_cannot_begin_leaves_what_was_there_before_it(lab: Lab, name: str, content: bytes) -> None:
    log = lab.folder / name
    log.parent.mkdir(exist_ok=True)
    log.write_bytes(content)
    cannot_begin(lab, "--log-file", log)
    assert any(path.read_bytes().startswith(content) for path in log.parent.glob("log.csv*"))
