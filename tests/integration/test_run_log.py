"""`run --log-file`: where the metrics log of a run goes, and what is never taken for one and removed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from monitor.log.metrics_log import MetricsLog
from tests.support.captures import some_frames, write_capture
from tests.support.lab import Lab, Started
from tests.support.pictures import row
from tests.support.run_files import SAMPLE
from virnucpro_bus.clock import ManualClock
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


def test_beginning_anew_removes_nothing_that_is_no_metrics_log(lab: Lab, out: Path) -> None:
    places = []
    for near in (out, lab.folder):
        folder, text, link = (near / f"log.csv.{number}" for number in (1, 2, 9))
        folder.mkdir()
        (folder / "precious").write_text("precious")
        text.write_text("precious\n")
        link.symlink_to("results")
        places += [folder, text, link]
    before = {place: os.lstat(place).st_ino for place in places}
    for name in ("log.csv", "../log.csv"):
        ended = run(lab, "--log-file", name, "--force")
        assert ended.wait() == 0, ended.stderr
    assert {place: os.lstat(place).st_ino for place in places} == before
    assert all((place / "precious").exists() for place in places[::3])


def test_beginning_anew_leaves_a_text_in_the_place_of_the_log(lab: Lab, out: Path) -> None:
    (out / "log.csv").write_text("precious\n")
    assert run(lab, "--log-file", "log.csv", "--force").wait() == 0
    assert (out / "log.csv").read_text() == "precious\n"


def test_beginning_anew_begins_the_log_anew_in_the_run_folder_and_goes_on_with_one_outside(
    lab: Lab, out: Path
) -> None:
    inside, outside = out / "log.csv", lab.folder / "log.csv"
    for log in (inside, outside):
        MetricsLog(log, ManualClock()).write([row(0)])
        with log.open("ab") as file:
            file.write(b"before\r\n")
        assert run(lab, "--log-file", log, "--force").wait() == 0
    assert b"before" not in inside.read_bytes()
    assert b"before" in outside.read_bytes()
    for log, held in ((inside, 0), (outside, 2)):
        assert log.read_bytes().count(SIGNATURE) == 1
        assert rows(log) > held


# A run that cannot begin.


def cannot_begin(lab: Lab, *arguments: str | Path) -> None:
    ended = run(lab, *arguments, "--interval", "0.1", "--job", "user_jobs:NoModel")
    assert ended.wait() == 2, ended.stderr
    assert "the run cannot start: job 'user_jobs:NoModel' cannot be loaded: " in ended.stderr
    log = Path(ended.stderr.split("; traceback: ")[1].splitlines()[0])
    assert "Traceback" in (lab.folder / log).read_text()


def test_a_run_that_cannot_begin_takes_its_own_log_away(lab: Lab) -> None:
    cannot_begin(lab)
    assert os.listdir(lab.folder / "out") == ["logs"]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("out/log.csv", b"precious\n"),
        ("out/log.csv", SIGNATURE + b",more\r\n"),
        ("log.csv", SIGNATURE + b",more\r\n"),
    ],
    ids=["text", "log", "log outside"],
)
def test_a_run_that_cannot_begin_leaves_what_was_there_before_it(lab: Lab, name: str, content: bytes) -> None:
    log = lab.folder / name
    log.parent.mkdir(exist_ok=True)
    log.write_bytes(content)
    cannot_begin(lab, "--log-file", log)
    assert any(path.read_bytes().startswith(content) for path in log.parent.glob("log.csv*"))
