"""Attempts that fail, take too long, hang or die: each is made again, its reason told, as often as allowed."""

from __future__ import annotations

import os
import re
import signal
import time
from pathlib import Path

import pytest

from tests.support.fake_drivers import GOOD_ROW
from tests.support.lab import Lab, wait_until
from tests.support.run_files import Gates, recorded, result_names, results, small_files, summary
from virnucpro_bus.events.vocabulary import FileCompleted, FileFailed, FileStarted, Heartbeat, WorkerLost

TWO_WORKERS = ("--devices", "cpu:2", "--no-dashboard")
ORPHANED_SECONDS = 5.0


def stumbling(lab: Lab, stumbles: int, *options: str) -> tuple[int, str]:
    """Run two files whose first attempts fail; the exit status, and what was said on stderr."""
    small_files(lab.folder / "in", 2)
    (lab.folder / "notes").mkdir()
    ended = lab.run(
        *("run", "in", "--out", "out", *TWO_WORKERS, "--job", "user_jobs:stumbling", *options),
        *("--job-option", f"notes={lab.folder}/notes", "--job-option", f"stumbles={stumbles}"),
    )
    return ended.wait(), ended.stderr


def test_a_file_that_fails_is_tried_again_elsewhere_and_the_run_is_done(lab: Lab) -> None:
    status, said = stumbling(lab, 2)
    assert status == 0, said
    found = summary(lab.folder / "out")
    assert (found["totals"]["files_completed"], found["totals"]["files_failed"]) == (2, 0)
    assert results(lab.folder / "out").keys() == result_names(["small_00.fa", "small_01.fa"])
    for name in ("small_00.fa", "small_01.fa"):
        devices = [(lab.folder / "notes" / f"{name}.{number}").read_text() for number in range(2)]
        assert sorted(devices) == ["cpu:0", "cpu:1"]
    # The others are like the first one.
    (line,) = said.splitlines()
    assert re.search(
        r"small_0[01].fa: attempt 1 on cpu:[01] failed, and the file is tried again: CUDA out of", line
    )
    failures = [envelope.event for envelope in recorded(lab.folder / "out", FileFailed)]
    assert sorted((event.attempt, event.final) for event in failures) == [(1, False)] * 2 + [(2, False)] * 2
    assert [attempt["attempt"] for attempt in found["attempts"]["small_00.fa"]] == [1, 2]
    assert {attempt["reason"][:18] for attempt in found["attempts"]["small_00.fa"]} == {"CUDA out of memory"}


def test_a_file_has_failed_once_its_attempts_are_used_up_and_counts_as_one(lab: Lab) -> None:
    status, said = stumbling(lab, 9, "--retries", "1")
    assert status == 3, said
    found = summary(lab.folder / "out")
    assert (found["totals"]["files_completed"], found["totals"]["files_failed"]) == (0, 2)
    assert set(found["failures"]) == set(found["attempts"]) == {"small_00.fa", "small_01.fa"}
    assert [len(attempts) for attempts in found["attempts"].values()] == [2, 2]


def test_an_attempt_that_takes_too_long_is_ended_and_told_apart_from_a_death(lab: Lab) -> None:
    names = small_files(lab.folder / "in", 3)
    gates = Gates(lab.folder / "gates")
    gates.close(names[0])
    ended = lab.run(
        *("run", "in", "--out", "out", *TWO_WORKERS, "--job", "user_jobs:gated", "--job-option", gates.option),
        *("--file-timeout", "1", "--retries", "1"),
    )
    assert ended.wait() == 3, ended.stderr
    found = summary(lab.folder / "out")
    assert found["failures"] == {names[0]: "timed out after 1 s"}
    assert [(each["attempt"], each["reason"]) for each in found["attempts"][names[0]]] == [
        (1, "timed out after 1 s"),
        (2, "timed out after 1 s"),
    ]
    assert results(lab.folder / "out").keys() == result_names(names[1:])
    assert "timed out after 1 s while it worked on small_00.fa" in ended.stderr
    assert "is retired" not in ended.stderr


@pytest.mark.parametrize("job", ["gated", "deep"])
def test_a_worker_that_gives_no_sign_of_life_is_ended_and_its_file_is_made_again(lab: Lab, job: str) -> None:
    """Stopped from outside, or deep in a call that does not let go of Python."""
    (name,) = small_files(lab.folder / "in", 1)
    gates = Gates(lab.folder / "gates")
    gates.close(name)
    running = lab.start(
        *("run", "in", "--out", "out", *TWO_WORKERS, "--hang-timeout", "3", "--job", f"user_jobs:{job}"),
        *("--job-option", gates.option, "--job-option", f"started={gates.folder}/{name}.pid"),
    )
    running.until(gates.waiting, "the job is at work")
    first = gates.waiting()[name]
    if job == "gated":
        os.kill(first, signal.SIGSTOP)
    running.until_it_says(f"hung: no sign of life for 3 s while it worked on {name}")
    running.until(lambda: gates.waiting()[name] != first, "another worker tries it")
    assert first not in lab.processes()
    if job == "gated":
        gates.open()
        assert running.wait() == 0, running.stderr
        assert results(lab.folder / "out").keys() == result_names([name])
    else:
        for _ in range(2):
            running.signal(signal.SIGINT)
        assert running.wait() == 130
    losses = [envelope.event for envelope in recorded(lab.folder / "out", WorkerLost)]
    assert losses[0].reason == "hung: no sign of life for 3 s"
    assert (losses[0].file, losses[0].attempt) == (name, 1)


def test_what_a_dead_worker_held_is_offered_to_an_idle_one_at_once_and_only_after_it_is_reaped(lab: Lab) -> None:
    names = small_files(lab.folder / "in", 1)
    gates = Gates(lab.folder / "gates")
    gates.close(*names)
    running = lab.start(
        *("run", "in", "--out", "out", *TWO_WORKERS, "--job", "user_jobs:gated", "--job-option", gates.option)
    )
    running.until(gates.waiting, "the job is at its gate")

    def waiting() -> set[str]:
        at_work = {each.source for each in recorded(lab.folder / "out", FileStarted)}
        beats = recorded(lab.folder / "out", Heartbeat)
        # The one at its gate may have been idle before, and its start is recorded a little later.
        return {each.source for each in beats if each.event.state == "idle"} - at_work if at_work else set()

    running.until(waiting, "the other worker has started too, and waits")
    (idle,) = waiting()
    killed_ns = time.monotonic_ns()
    os.kill(gates.waiting()[names[0]], signal.SIGKILL)
    running.until_it_says("was killed by SIGKILL")
    gates.open()
    assert running.wait() == 0, running.stderr
    (loss,) = recorded(lab.folder / "out", WorkerLost)
    second = recorded(lab.folder / "out", FileStarted)[-1]
    # At once: before the dead worker has a successor, which would get the file otherwise.
    assert (second.event.attempt, second.source) == (2, idle)
    assert killed_ns < loss.mono_ns < second.mono_ns


# Nothing outlives the launcher


@pytest.mark.parametrize(
    "job", ["user_jobs:deep", "shell:trap '' TERM; echo $$ > {stem}.pid; sleep 600 & wait; : {input}"]
)
def test_nothing_that_a_job_does_or_has_started_outlives_a_launcher_that_is_killed(lab: Lab, job: str) -> None:
    (name,) = small_files(lab.folder / "in", 1)
    started = lab.folder / f"{Path(name).stem}.pid"
    options = ("--job-option", f"started={started}") if job == "user_jobs:deep" else ()
    running = lab.start("run", "in", "--out", "out", *TWO_WORKERS, "--job", job, *options)
    running.until(lambda: started.exists() and started.read_text(), "the job is at work")
    worked = int(started.read_text())
    assert worked in lab.processes()
    running.signal(signal.SIGKILL)
    running.wait()

    def left() -> list[str]:
        """All but the monitor, which is nobody's worker."""
        return [command for command in lab.processes().values() if " monitor " not in command]

    wait_until(lambda: not left(), "nothing is left", ORPHANED_SECONDS)


# One run a GPU


def test_a_second_run_on_the_same_gpu_is_refused_with_the_pid_of_the_first(lab: Lab) -> None:
    """Where there is no GPU driver, an nvidia-smi pretends that there is one."""
    programs, runtime = lab.folder / "bin", lab.folder / "runtime"
    for folder in (programs, runtime):
        folder.mkdir()
    (programs / "nvidia-smi").write_text(f"#!/bin/sh\necho '{GOOD_ROW.strip()}'\n")
    (programs / "nvidia-smi").chmod(0o755)
    environment = {"PATH": f"{programs}:{lab.environment['PATH']}", "XDG_RUNTIME_DIR": str(runtime)}
    names = small_files(lab.folder / "in", 2)
    gates = Gates(lab.folder / "gates")
    gates.close(*names)
    arguments = ("run", "in", "--no-dashboard", "--job", "user_jobs:gated", "--job-option", gates.option)
    first = lab.start(*arguments, "--out", "first", "--devices", "cuda:0", **environment)
    first.until(gates.waiting, "the job is at its gate")
    second = lab.run(*arguments, "--out", "second", "--devices", "auto", **environment)
    assert second.wait() == 2
    assert second.stderr.startswith("virnucpro-bus: GPU 0 (GPU-")
    assert f"is in use by another run (pid {first.pid}): choose others with --devices" in second.stderr
    assert second.stderr.count("\n") == 1
    assert not (lab.folder / "second").exists()
    gates.open()
    assert first.wait() == 0, first.stderr
    again = lab.run(*arguments, "--out", "second", "--devices", "cuda:0", **environment)
    assert again.wait() == 0, again.stderr
    assert len(recorded(lab.folder / "second", FileCompleted)) == 2


# Who is to blame


def test_a_device_on_which_everything_dies_is_retired_and_no_file_is_blamed(lab: Lab) -> None:
    names = small_files(lab.folder / "in", 18)
    ended = lab.run(
        *("run", "in", "--out", "out", *TWO_WORKERS, "--policy", "off", "--job", "user_jobs:deadly_device"),
        *("--job-option", "deadly=cpu:0"),
    )
    assert ended.wait() == 0, ended.stderr
    assert results(lab.folder / "out").keys() == result_names(names)
    assert "cpu:0 is retired: its workers keep dying" in ended.stderr
    lost = [envelope.event for envelope in recorded(lab.folder / "out", WorkerLost)]
    assert [event.device for event in lost] == ["cpu:0"] * 3
    assert len({event.file for event in lost}) == 3
    assert len(summary(lab.folder / "out")["attempts"]) == 3


def test_a_bad_file_and_a_bad_device_are_told_apart(lab: Lab) -> None:
    names = small_files(lab.folder / "in", 18)
    ended = lab.run(
        *(
            "run",
            "in",
            "--out",
            "out",
            "--devices",
            "cpu:3",
            "--no-dashboard",
            "--policy",
            "off",
            "--job",
            "user_jobs:deadly_device",
        ),
        *("--job-option", f"deadly=cpu:1 {names[5]}"),
    )
    assert ended.wait() == 3, ended.stderr
    found = summary(lab.folder / "out")
    assert found["failures"] == {names[5]: "it ended 3 workers, the last: ended with exit status 70"}
    assert results(lab.folder / "out").keys() == result_names(set(names) - {names[5]})
    retired = [line for line in ended.stderr.splitlines() if "is retired" in line]
    assert retired == ["virnucpro-bus: cpu:1 is retired: its workers keep dying"]
