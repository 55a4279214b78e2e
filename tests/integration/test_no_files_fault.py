"""What fails every file ends the run: it is reported once, charged to no file, and the run can be resumed."""

from __future__ import annotations

import os
import shutil
import signal

import pytest

from tests.support.lab import Lab
from tests.support.run_files import Gates, recorded, result_names, results, small_files, summary
from virnucpro_bus.events.vocabulary import FileFailed

ONE_WORKER = ("--devices", "cpu:1", "--no-dashboard")
RESUME_HINT = "; to continue it, give the same command with --resume"


def test_a_job_that_does_not_count_ends_the_run_at_the_first_file(lab: Lab) -> None:
    names = small_files(lab.folder / "in", 4)
    run = ("run", "in", "--out", "out", *ONE_WORKER, "--retries", "0")
    job = ("--job", "user_jobs:uncounted", "--job-option", f"bad={names[1]}")
    ended = lab.run(*run, *job)
    assert ended.wait() == 2
    assert ended.stderr == (
        "virnucpro-bus: the run ends early: job 'user_jobs:uncounted' returned None; "
        f"it must return the number of sequences done{RESUME_HINT}\n"
    )
    assert results(lab.folder / "out").keys() == result_names(names[:1])
    assert summary(lab.folder / "out")["failures"] == {}
    (failed,) = recorded(lab.folder / "out", FileFailed)
    assert (failed.event.file, failed.event.final) == (names[1], False)
    jobs = lab.folder / "user_jobs.py"
    jobs.write_text(jobs.read_text().replace("return None if", "return 1 if"))
    assert lab.run(*run, *job, "--resume").wait() == 0
    assert results(lab.folder / "out").keys() == result_names(names)


@pytest.mark.parametrize("gone", ["out", "out/results"])
def test_a_run_folder_that_is_removed_ends_the_run(lab: Lab, gone: str) -> None:
    names = small_files(lab.folder / "in", 4)
    gates = Gates(lab.folder / "gates")
    gates.close(names[0])
    job = ("--job", "user_jobs:gated", "--job-option", gates.option)
    running = lab.start("run", "in", "--out", "out", *ONE_WORKER, "--retries", "0", *job)
    running.until(gates.waiting, "the job is at its gate")
    running.until((lab.folder / "out" / "gpu_metrics.log").exists, "the monitor has made its log")
    shutil.rmtree(lab.folder / gone)
    gates.open()
    assert running.wait() == 2
    (end,) = [line for line in running.stderr.splitlines() if "the run ends early: " in line]
    assert end.endswith(RESUME_HINT)
    assert "is tried again" not in running.stderr
    assert lab.run("run", "in", "--out", "out", *ONE_WORKER, *job, "--resume").wait() == 0
    assert results(lab.folder / "out").keys() == result_names(names)


def test_a_worker_that_dies_in_a_folder_that_was_removed_is_charged_to_no_file(lab: Lab) -> None:
    """As a program does that writes a file through memory, when the disk is full or gone."""
    names = small_files(lab.folder / "in", 2)
    gates = Gates(lab.folder / "gates")
    gates.close(names[0])
    job = ("--job", "user_jobs:gated", "--job-option", gates.option)
    running = lab.start("run", "in", "--out", "out", *ONE_WORKER, *job)
    running.until(gates.waiting, "the job is at its gate")
    shutil.rmtree(lab.folder / "out" / ".attempts")
    os.kill(gates.waiting()[names[0]], signal.SIGKILL)
    assert running.wait() == 2
    assert running.stderr == (
        f"virnucpro-bus: the run ends early: {lab.folder}/out/.attempts: has been removed{RESUME_HINT}\n"
    )
    assert summary(lab.folder / "out")["failures"] == {}


def test_workers_that_die_before_they_have_a_file_fail_no_file(lab: Lab) -> None:
    small_files(lab.folder / "in", 4)
    (lab.folder / "deadly_module.py").write_text("import os\nos._exit(3)\n")
    ended = lab.run(
        "run", "in", "--out", "out", "--devices", "cpu:2", "--no-dashboard", "--job", "deadly_module:run"
    )
    assert ended.wait() == 2
    assert "is retired: its workers keep dying" in ended.stderr
    assert "out: the run cannot start: no device is left: the last worker ended with exit status 3" in ended.stderr
    assert not (lab.folder / "out").exists()


def test_a_job_that_cannot_be_loaded_any_more_leaves_the_results_that_there_are(lab: Lab) -> None:
    names = small_files(lab.folder / "in", 3)
    gates = Gates(lab.folder / "gates")
    gates.close(names[1])
    job = ("--job", "user_jobs:gated", "--job-option", gates.option)
    running = lab.start("run", "in", "--out", "out", *ONE_WORKER, *job)
    running.until(gates.waiting, "the job is at its gate")
    jobs = lab.folder / "user_jobs.py"
    jobs.rename(lab.folder / "moved.py")
    shutil.rmtree(lab.folder / "__pycache__", ignore_errors=True)
    os.kill(gates.waiting()[names[1]], signal.SIGKILL)
    assert running.wait() == 2
    assert "the run ends early: job 'user_jobs:gated' cannot be loaded" in running.stderr
    assert summary(lab.folder / "out")["failures"] == {}
    assert results(lab.folder / "out").keys() == result_names(names[:1])
    (lab.folder / "moved.py").rename(jobs)
    gates.open()
    assert lab.run("run", "in", "--out", "out", *ONE_WORKER, *job, "--resume").wait() == 0
    assert results(lab.folder / "out").keys() == result_names(names)
