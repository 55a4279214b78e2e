"""What the report says of a run as a whole: its state, its progress, what is wrong, which files have failed."""

from __future__ import annotations

import itertools

import pytest

from virnucpro_bus import events as ev
from virnucpro_bus.clock import NANOSECONDS
from virnucpro_bus.events.vocabulary import Device
from virnucpro_bus.fold.fleet import FleetState
from virnucpro_bus.fold.report import FAILED_FILES_SHOWN, FleetReport
from virnucpro_bus.run_reports import RunReport
from virnucpro_bus.testing import Script

CPU = Device("cpu:0")


def started(*, files: int = 4) -> Script:
    script = Script(host="here")
    script.say("coordinator", ev.RunStarted("job", "cost", (CPU,), files))
    return script


def ready(*, files: int = 4) -> Script:
    script = started(files=files)
    script.say("worker-0", ev.WorkerStarted(CPU, 1))
    return script


def report(script: Script) -> FleetReport:
    fleet = FleetState(script.clock, "here")
    fleet.feed(script.frames())
    return fleet.report()


def run_of(script: Script) -> RunReport:
    (run,) = report(script)["runs"]
    return run


def test_a_run_is_loading_until_a_worker_has_loaded_its_job() -> None:
    script = started()
    assert run_of(script)["state"] == "loading"
    script.say("worker-0", ev.WorkerStarted(CPU, 1, is_loading=True))
    assert run_of(script)["state"] == "loading"
    script.say("worker-0", ev.Heartbeat(CPU.key, "idle", 0, 0, 0, 0, 0))
    assert run_of(script)["state"] == "running"


def test_a_resumed_run_is_loading_again_whatever_its_workers_of_before_had_loaded() -> None:
    script = ready()
    script.say("coordinator", ev.RunFinished(130, 0, 0), after_seconds=1)
    script.say("coordinator", ev.RunStarted("job", "cost", (CPU,), 4), epoch=2, after_seconds=1)
    assert run_of(script)["state"] == "loading"


def test_a_run_drains_from_the_first_report_on_until_its_end_and_a_resumed_one_no_longer() -> None:
    script = ready()
    script.say("coordinator", ev.RunDraining("SIGTERM"))
    script.say("coordinator", ev.RunDraining("SIGINT"))
    run = run_of(script)
    assert (run["state"], run["draining_reason"], run["eta_seconds"]) == ("draining", "SIGTERM", None)
    script.say("coordinator", ev.RunFinished(143, 0, 0))
    run = run_of(script)
    assert (run["state"], run["draining_reason"]) == ("interrupted", "SIGTERM")
    script.say("coordinator", ev.RunStarted("job", "cost", (CPU,), 4), epoch=2, after_seconds=1)
    assert run_of(script)["draining_reason"] is None


@pytest.mark.parametrize(("is_early", "state"), [(True, "stopped"), (False, "lost")])
def test_workers_that_were_stopped_because_the_run_ends_early_are_not_lost(is_early: bool, state: str) -> None:
    script = ready()
    if is_early:
        script.say("coordinator", ev.RunDraining("1 of 4 files has failed"))
    script.say("coordinator", ev.WorkerLost("cpu:0", "worker-0", 1, "was stopped"))
    script.say("coordinator", ev.RunFinished(3, 0, 1))
    fleet = FleetState(script.clock)
    fleet.feed(script.frames())
    assert [row["state"] for row in fleet.get_gpu_metrics()] == [state]


def test_what_drains_is_the_same_in_whatever_order_the_events_come() -> None:
    script = ready()
    script.say("coordinator", ev.RunDraining("SIGTERM"))
    script.say("coordinator", ev.RunDraining("SIGINT"))
    for frames in itertools.permutations(script.frames()):
        fleet = FleetState(script.clock, "here")
        fleet.feed(list(frames))
        assert [(run["state"], run["draining_reason"]) for run in fleet.runs()] == [("draining", "SIGTERM")]


def test_progress_and_the_expected_end_are_those_of_the_dashboard() -> None:
    script = ready()
    for file, seconds in (("a.fa", 10), ("b.fa", 10)):
        script.say("worker-0", ev.FileStarted("cpu:0", file, 1))
        script.say("worker-0", ev.FileCompleted("cpu:0", file, 1, 5, float(seconds)), after_seconds=seconds)
    run = run_of(script)
    counts = (run["files_total"], run["files_completed"], run["files_failed"], run["files_pending"])
    assert counts == (4, 2, 0, 2)
    assert run["eta_seconds"] == pytest.approx(20)
    assert run["expected_end"] == pytest.approx(script.clock.wall_ns() / NANOSECONDS + 20)


def test_a_run_that_is_over_expects_no_end() -> None:
    script = ready(files=1)
    script.say("coordinator", ev.RunFinished(0, 1, 0))
    run = run_of(script)
    assert (run["eta_seconds"], run["expected_end"]) == (None, None)


def test_the_problems_are_the_lines_of_the_dashboard() -> None:
    script = ready()
    script.say("coordinator", ev.WorkerLost("cpu:0", "worker-0", 1, "killed by SIGKILL", "a.fa", 1))
    script.say("coordinator", ev.FileQuarantined("a.fa", 3, "3 workers died on it"))
    script.say("coordinator", ev.Notice("no problem"))
    assert report(script)["problems"] == [
        "lost: no worker on cpu:0",
        "quarantined: a.fa (3 workers died on it)",
    ]


def test_a_failed_file_has_its_last_device_reason_log_and_time() -> None:
    script = ready()
    script.say("worker-0", ev.FileFailed("cpu:0", "a.fa", 1, "no memory", 1.0, final=False))
    script.say("worker-0", ev.FileFailed("cpu:0", "a.fa", 2, "not FASTA", 1.0), after_seconds=5)
    assert report(script)["failed_files"] == [
        {
            "file": "a.fa",
            "host": "here",
            "device": "cpu:0",
            "device_id": "cpu:0",
            "attempts": 2,
            "reason": "not FASTA",
            "log": "logs/a.fa.2.log",
            "failed": script.clock.wall_ns() / NANOSECONDS,
        }
    ]


@pytest.mark.parametrize(("file", "attempt"), [("../etc/passwd", 1), ("a.fa", 0), ("\ud800", 1)])
def test_no_log_is_named_of_what_is_not_the_attempt_at_an_input(file: str, attempt: int) -> None:
    from virnucpro_bus.logs.names import attempt_log

    assert attempt_log(file, attempt) is None


def test_a_file_that_is_pending_again_is_no_failed_file() -> None:
    script = ready()
    script.say("worker-0", ev.FileFailed("cpu:0", "a.fa", 1, "not FASTA", 1.0))
    script.say("coordinator", ev.FileReopened("a.fa", "cpu:0", False, 0, "resumed"))
    assert report(script)["failed_files"] == []


def test_of_many_failed_files_the_last_are_listed_the_newest_last() -> None:
    script = ready(files=200)
    names = [f"{number:03}.fa" for number in range(FAILED_FILES_SHOWN + 20)]
    for name in names:
        script.say("worker-0", ev.FileFailed("cpu:0", name, 1, "not FASTA", 1.0), after_seconds=1)
    assert [file["file"] for file in report(script)["failed_files"]] == names[20:]
