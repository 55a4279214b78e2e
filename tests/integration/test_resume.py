"""Pull the plug and give the same command again: the outputs of a serial run, and each file committed once."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.support.hosts import renamed_host
from tests.support.lab import Lab, wait_until
from tests.support.run_files import COUNT, Gates, recorded, results, small_files, summary
from virnucpro_bus.capture.info import capture_info
from virnucpro_bus.events.run_events import RunStarted
from virnucpro_bus.events.vocabulary import FileCommitted, FileReopened

FOUR_WORKERS = ("--devices", "cpu:4", "--no-dashboard")
TWO_WORKERS = ("--devices", "cpu:2", "--no-dashboard")
ONE_WORKER = ("--devices", "cpu:1", "--no-dashboard")
MOST_SESSIONS = 30

ROOMY_JOB = """
import errno, os
from pathlib import Path

def needs_room(input, output, context):
    if not Path("room").exists():
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    (output / f"{input.stem}.txt").write_bytes(input.read_bytes())
    return 1

def changes(input, output, context):
    if input.name == context.options["changes"]:
        input.write_bytes(input.read_bytes() + b"A")
    elif input.name == context.options["vanishes"]:
        input.unlink()
    (output / f"{input.stem}.txt").write_bytes(b"x")
    return 1
"""


@pytest.fixture
def jobs(lab: Lab) -> str:
    (lab.folder / "roomy.py").write_text(ROOMY_JOB)
    return "roomy"


def commits(run_dir: Path) -> Counter[str]:
    return Counter(envelope.event.file for envelope in recorded(run_dir, FileCommitted))


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_a_launcher_that_is_killed_again_and_again_ends_with_what_a_serial_run_gives(
    lab: Lab, forty: Path, serial_results: dict[str, bytes], seed: int
) -> None:
    chance = random.Random(seed)
    arguments = ("run", forty, "--out", "out", *FOUR_WORKERS, "--job", "user_jobs:slow", "--resume")
    for session in range(MOST_SESSIONS):
        command = lab.start(*arguments)
        # Each session gets a little further than the one before, or none would ever come to an end.
        deadline = time.monotonic() + chance.uniform(0.7, 1.2) + 0.2 * session
        while command.running and time.monotonic() < deadline:
            time.sleep(0.005)
        if not command.running:
            break
        command.signal(signal.SIGKILL)
        command.wait()
    assert command.wait() == 0, command.stderr
    out = lab.folder / "out"
    assert results(out) == serial_results
    assert commits(out) == Counter({path.name: 1 for path in forty.iterdir()})
    assert f"{COUNT} of {COUNT} files done" in command.stdout
    assert len({envelope.run for envelope in recorded(out, RunStarted)}) == 1
    wait_until(lambda: not lab.processes(), "all have ended")


def test_a_run_that_is_resumed_under_another_host_name_stays_one_run(lab: Lab) -> None:
    names = small_files(lab.folder / "in", 6)
    gates = Gates(lab.folder / "gates")
    gates.close(names[2])
    arguments = (
        "run",
        "in",
        "--out",
        "out",
        *TWO_WORKERS,
        "--job",
        "user_jobs:gated",
        "--job-option",
        gates.option,
    )
    first = lab.start(*arguments, prefix=renamed_host("first"))
    out = lab.folder / "out"
    first.until(lambda: gates.waiting() and len(commits(out)) >= 2, "some are done")
    first.signal(signal.SIGKILL)
    first.wait()
    second = lab.start(*arguments, "--resume", prefix=renamed_host("second"))
    second.until(lambda: gates.waiting() and len(commits(out)) == 5, "one remains")
    live = json.loads(lab.run("monitor", "out", "--once", "--json").stdout)
    gates.open()
    assert second.wait() == 0, second.stderr
    for report in (live, summary(out)):
        assert {device["host"] for device in report["devices"]} == {"first"}
        assert report["totals"]["files_total"] == 6
    assert summary(out)["totals"]["files_completed"] == 6
    assert {device["state"] for device in summary(out)["devices"]} == {"stopped"}
    assert lab.run("whatif", "out").wait() == 0
    assert capture_info(out / "run.vbus")["hosts"] == ["first"]


def test_a_run_that_is_done_is_done_and_force_begins_anew(lab: Lab) -> None:
    names = small_files(lab.folder / "in", 3)
    arguments = ("run", "in", "--out", "out", *ONE_WORKER)
    assert lab.run(*arguments).wait() == 0
    out = lab.folder / "out"
    before = results(out)
    again = lab.run(*arguments, "--resume")
    assert (again.wait(), results(out)) == (0, before)
    assert "3 of 3 files are done already" in again.stderr
    (out / "mine").touch()
    (out / "results" / "small_00.mine").touch()
    anew = lab.run(*arguments, "--force")
    assert (anew.wait(), anew.stderr, results(out)) == (0, "", before | {"small_00.mine": b""})
    assert (out / "mine").exists()
    assert commits(out) == Counter(dict.fromkeys(names, 1))


def test_a_changed_input_is_done_again_and_counted_once(lab: Lab) -> None:
    names = small_files(lab.folder / "in", 3)
    arguments = ("run", "in", "--out", "out", *ONE_WORKER)
    assert lab.run(*arguments).wait() == 0
    out = lab.folder / "out"
    old = results(out)
    (lab.folder / "in" / names[0]).write_text(">other\nACGTACGTACGTACGT\n")
    again = lab.run(*arguments, "--resume")
    assert again.wait() == 0, again.stderr
    assert f"{names[0]}: is done again: the input has changed" in again.stderr
    new = results(out)
    assert old.keys() == new.keys()
    assert {name.partition(".")[0] for name in new if new[name] != old[name]} == {names[0].removesuffix(".fa")}
    assert [envelope.event.file for envelope in recorded(out, FileReopened)] == [names[0]]
    totals = summary(out)["totals"]
    assert (totals["files_completed"], totals["files_total"]) == (3, 3)


def test_the_same_files_by_another_path_are_done_and_files_that_are_added_are_new(lab: Lab) -> None:
    names = small_files(lab.folder / "in", 3)
    assert lab.run("run", "in", "--out", "out", *ONE_WORKER).wait() == 0
    out = lab.folder / "out"
    before = results(out)
    (out / "results" / "small_00.mine").write_text("mine")
    (lab.folder / "link").symlink_to("in")
    shutil.copytree(lab.folder / "in", lab.folder / "copy", copy_function=shutil.copyfile)
    for path in ("link", "copy"):
        again = lab.run("run", path, "--out", "out", *ONE_WORKER, "--resume")
        assert "3 of 3 files are done already" in again.stderr
    again = lab.run("run", "copy", "in", "--out", "out", *ONE_WORKER, "--resume")
    assert (again.wait(), "3 of 6 files are done already" in again.stderr) == (0, True)
    after = results(out)
    assert {name: after.pop(name) for name in before} == before
    assert len(after) == 7
    assert commits(out).total() == 6
    assert set(names) < commits(out).keys()


def test_a_run_of_which_most_inputs_have_changed_is_only_resumed_when_asked_to(lab: Lab) -> None:
    names = small_files(lab.folder / "in", 3)
    arguments = ("run", "in", "--out", "out", *ONE_WORKER)
    assert lab.run(*arguments).wait() == 0
    before = results(lab.folder / "out")
    for name in names[:2]:
        (lab.folder / "in" / name).write_text(">other\nACGTACGTACGTACGT\n")
    refused = lab.run(*arguments, "--resume")
    assert (refused.wait(), refused.stderr.count("\n")) == (2, 1)
    assert "out: 2 of the 3 files that are done would be done again" in refused.stderr
    assert results(lab.folder / "out") == before
    again = lab.run(*arguments, "--resume", "--redo")
    assert again.wait() == 0
    assert commits(lab.folder / "out").total() == 5


def test_another_job_is_not_mixed_into_a_run(lab: Lab) -> None:
    small_files(lab.folder / "in", 2)
    assert lab.run("run", "in", "--out", "out", *ONE_WORKER).wait() == 0
    before = results(lab.folder / "out")
    other = lab.run("run", "in", "--out", "out", *ONE_WORKER, "--job-option", "chunk=10", "--resume")
    assert other.wait() == 2
    assert "a run of another job or with other job options (job sixframe)" in other.stderr
    assert results(lab.folder / "out") == before


def test_a_full_disk_ends_the_run_with_one_line_and_it_can_be_resumed(lab: Lab, jobs: str) -> None:
    small_files(lab.folder / "in", 6)
    arguments = ("run", "in", "--out", "out", *ONE_WORKER, "--job", f"{jobs}:needs_room")
    first = lab.run(*arguments)
    assert first.wait() == 2
    (line,) = [line for line in first.stderr.splitlines() if "the run ends early" in line]
    assert ".fa failed because the disk is full; log: logs/small_0" in line
    assert line.endswith("; to continue it, give the same command with --resume")
    (lab.folder / "room").touch()
    again = lab.run(*arguments, "--resume")
    assert again.wait() == 0, again.stderr
    assert len(results(lab.folder / "out")) == 6
    totals = summary(lab.folder / "out")["totals"]
    assert (totals["files_completed"], totals["files_total"], totals["files_failed"]) == (6, 6, 0)
    assert summary(lab.folder / "out")["failures"] == {}


def test_inputs_that_change_or_vanish_during_the_work_fail_that_file_alone(lab: Lab, jobs: str) -> None:
    names = small_files(lab.folder / "in", 4)
    options = ("--job-option", f"changes={names[1]}", "--job-option", f"vanishes={names[2]}")
    ended = lab.run("run", "in", "--out", "out", *ONE_WORKER, "--job", f"{jobs}:changes", *options)
    assert ended.wait() == 3
    failures = summary(lab.folder / "out")["failures"]
    assert failures.keys() == {names[1], names[2]}
    assert failures[names[1]].startswith("input changed")
    assert "vanished" in failures[names[2]]
    assert sorted(results(lab.folder / "out")) == ["small_00.txt", "small_03.txt"]


STRANGE = [
    b"with space.fa",
    b"two\nlines.fa",
    b"\xff\xfe.fa",
    b"-dash.fa",
    b"[bold]red.fa",
    b"=1+1.fa",
    b"a" * 252 + b".fa",
    b"b" * 252 + b".fa",
]


def test_whatever_an_input_is_called_it_is_done_and_found_again_by_a_resumed_run(lab: Lab) -> None:
    folder = os.fsencode(lab.folder / "in")
    os.mkdir(folder)
    for number, name in enumerate(STRANGE):
        Path(os.fsdecode(folder + b"/" + name)).write_text(f">r{number}\n" + "ACGTACGTACGT\n" * (number + 1))
    arguments = ("run", "in", "--out", "out", *ONE_WORKER, "--job", "shell:cp {input} {output}")
    first = lab.run(*arguments)
    assert first.wait() == 0, first.stderr
    assert len(results(lab.folder / "out")) == len(STRANGE)
    assert commits(lab.folder / "out").total() == len(STRANGE)
    again = lab.run(*arguments, "--resume")
    assert again.wait() == 0, again.stderr
    assert f"{len(STRANGE)} of {len(STRANGE)} files are done already" in again.stderr
