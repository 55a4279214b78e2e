"""Whatever dies, stands still or goes wrong: the run ends with every output right, and says what happened."""

from __future__ import annotations

import os
import signal
from collections import Counter
from pathlib import Path

import pytest

from tests.support.fake_drivers import GOOD_ROW
from tests.support.lab import Lab, wait_until
from tests.support.run_files import COUNT, Gates, recorded, result_names, results, small_files, summary
from virnucpro_bus.events.run_events import RunFinished
from virnucpro_bus.events.vocabulary import FileCompleted, GpuSampled, WorkerLost

TWO_WORKERS = ("--devices", "cpu:2", "--no-dashboard")
FOUR_WORKERS = ("--devices", "cpu:4", "--no-dashboard")
ORPHANED_SECONDS = 5.0
"""A worker whose launcher was killed has ended by then, whatever its job does."""
MONITOR_GIVEN_UP_SECONDS = 15.0
LEFTOVERS = {".attempts", ".bus", "bus.json"}


class Interrupted:
    """A run of eight small files on two devices, in the middle of the two biggest, about to be interrupted."""

    def __init__(self, lab: Lab, **environment: str) -> None:
        self.lab = lab
        self.run_dir = lab.folder / "out"
        self.names = small_files(lab.folder / "in", 8)
        self.gates = Gates(lab.folder / "gates")
        self.gates.close(*self.names)
        self.command = lab.start(
            *("run", "in", "--out", "out", *TWO_WORKERS),
            *("--job", "user_jobs:gated", "--job-option", self.gates.option),
            **environment,
        )
        self.command.until(lambda: len(self.gates.waiting()) == 2, "both workers are at a gate")

    def exit_codes(self) -> tuple[int, int, int]:
        """What the command returned, and what the summary and the capture say that it did."""
        status = self.command.wait()
        (end,) = recorded(self.run_dir, RunFinished)
        return status, summary(self.run_dir)["exit_code"], end.event.exit_code

    def leftovers(self) -> set[str]:
        return LEFTOVERS & {path.name for path in self.run_dir.iterdir()}


@pytest.fixture
def interrupted(lab: Lab) -> Interrupted:
    return Interrupted(lab)


# Workers


def test_a_worker_that_is_killed_in_the_middle_of_a_file_costs_nothing(
    lab: Lab, forty: Path, serial_results: dict[str, bytes]
) -> None:
    gates = Gates(lab.folder / "gates")
    gates.close("lambda_virus.fa")
    running = lab.start(
        *("run", forty, "--out", "out", *FOUR_WORKERS),
        *("--job", "user_jobs:gated", "--job-option", gates.option),
    )
    running.until(gates.waiting, "the job is at its gate")
    os.kill(gates.waiting()["lambda_virus.fa"], signal.SIGKILL)
    running.until_it_says("was killed by SIGKILL while it worked on lambda_virus.fa")
    gates.open()
    assert running.wait() == 0, running.stderr
    run_dir = lab.folder / "out"
    assert results(run_dir) == serial_results
    (loss,) = recorded(run_dir, WorkerLost)
    assert (loss.event.file, loss.event.attempt, loss.event.epoch) == ("lambda_virus.fa", 1, 1)
    done = Counter(envelope.event.file for envelope in recorded(run_dir, FileCompleted))
    assert (len(done), done.total()) == (COUNT, COUNT)
    totals = summary(run_dir)["totals"]
    assert (totals["files_completed"], totals["files_failed"]) == (COUNT, 0)
    assert totals["sequences"] == sum(data.event.sequences for data in recorded(run_dir, FileCompleted))
    assert sum(device["files_completed"] for device in summary(run_dir)["devices"]) == COUNT
    # What the worker had just sent went down with it, but nothing that counts.
    assert totals["events_published"] - totals["events_received"] == totals["events_lost"]


def test_a_file_that_kills_every_worker_is_put_aside_and_the_others_are_done(lab: Lab) -> None:
    names = small_files(lab.folder / "in", 10)
    options = ("--job", "user_jobs:deadly", "--job-option", f"deadly={names[4]}")
    ended = lab.run("run", "in", "--out", "out", *TWO_WORKERS, *options)
    assert ended.wait() == 3
    found = summary(lab.folder / "out")
    assert found["exit_code"] == 3
    assert (found["totals"]["files_completed"], found["totals"]["files_failed"]) == (9, 1)
    assert found["failures"] == {names[4]: "it ended 3 workers, the last: was killed by SIGKILL"}
    assert results(lab.folder / "out").keys() == result_names(set(names) - {names[4]})
    assert len(recorded(lab.folder / "out", WorkerLost)) == 3
    assert "Traceback" not in ended.stderr


# The monitor


@pytest.mark.parametrize("blow", [signal.SIGKILL, signal.SIGSTOP])
def test_the_run_does_not_notice_what_happens_to_its_monitor(
    lab: Lab, forty: Path, serial_results: dict[str, bytes], blow: signal.Signals
) -> None:
    gates = Gates(lab.folder / "gates")
    gates.close("lambda_virus.fa")
    running = lab.start(
        *("run", forty, "--out", "out", "--devices", "cpu:4"),
        *("--job", "user_jobs:gated", "--job-option", gates.option),
    )
    running.until(gates.waiting, "the job is at its gate")
    os.kill(running.child("monitor"), blow)
    gates.open()
    assert running.wait(15) == 0, running.stderr
    assert results(lab.folder / "out") == serial_results
    assert summary(lab.folder / "out")["totals"]["events_lost"] == 0


# Signals


def test_the_first_ctrl_c_lets_the_files_in_hand_be_finished(interrupted: Interrupted) -> None:
    in_hand = set(interrupted.gates.waiting())
    interrupted.command.signal(signal.SIGINT)
    interrupted.command.until_it_says("interrupted: finishing the files in progress; press Ctrl-C again")
    interrupted.gates.open()
    assert interrupted.exit_codes() == (130, 130, 130)
    assert results(interrupted.run_dir).keys() == result_names(in_hand)
    assert summary(interrupted.run_dir)["totals"]["files_completed"] == 2
    assert "to continue it, give the same command with --resume" in interrupted.command.stderr
    assert interrupted.leftovers() == set()


def test_the_second_ctrl_c_ends_the_run_at_once(interrupted: Interrupted) -> None:
    interrupted.command.signal(signal.SIGINT)
    interrupted.command.until_it_says("interrupted: finishing the files in progress")
    interrupted.command.signal(signal.SIGINT)
    assert interrupted.exit_codes() == (130, 130, 130)
    assert results(interrupted.run_dir) == {}
    assert interrupted.leftovers() == set()
    lost = {envelope.event.file for envelope in recorded(interrupted.run_dir, WorkerLost)}
    assert lost == set(interrupted.gates.waiting())


def test_sigterm_lets_the_files_in_hand_be_finished_too(interrupted: Interrupted) -> None:
    in_hand = set(interrupted.gates.waiting())
    interrupted.command.signal(signal.SIGTERM)
    interrupted.command.until_it_says("SIGTERM: finishing the files in progress, for 10 s at most")
    interrupted.gates.open()
    assert interrupted.exit_codes() == (143, 143, 143)
    assert results(interrupted.run_dir).keys() == result_names(in_hand)
    assert interrupted.leftovers() == set()


def test_an_interrupted_run_with_nothing_left_to_do_is_done(lab: Lab) -> None:
    (name,) = small_files(lab.folder / "in", 1)
    gates = Gates(lab.folder / "gates")
    gates.close(name)
    running = lab.start(
        *("run", "in", "--out", "out", *TWO_WORKERS, "--job", "user_jobs:gated", "--job-option", gates.option)
    )
    running.until(gates.waiting, "the job is at its gate")
    running.signal(signal.SIGINT)
    running.until_it_says("interrupted")
    gates.open()
    assert running.wait() == 0
    assert results(lab.folder / "out").keys() == result_names([name])


# The launcher


def test_nothing_outlives_a_launcher_that_is_killed(lab: Lab) -> None:
    """Where there is no GPU driver, an nvidia-smi pretends that there is one, so that a sampler is there too."""
    programs = lab.folder / "bin"
    programs.mkdir()
    (programs / "nvidia-smi").write_text(f"#!/bin/sh\necho '{GOOD_ROW.strip()}'\n")
    (programs / "nvidia-smi").chmod(0o755)
    orphans = Interrupted(lab, PATH=f"{programs}:{lab.environment['PATH']}")
    workers = set(orphans.gates.waiting().values())
    orphans.command.until((orphans.run_dir / "gpu_metrics.log").exists, "the run's own monitor is attached")
    orphans.command.until(lambda: recorded(orphans.run_dir, GpuSampled), "the sampler is at work")
    orphans.command.signal(signal.SIGKILL)
    orphans.command.wait()
    wait_until(lambda: not workers & lab.processes().keys(), "the workers have ended", ORPHANED_SECONDS)
    looked = lab.run("monitor", "out", "--once")
    assert looked.wait() == 0, looked.stderr
    assert "(interrupted)" in looked.stdout
    assert "busy" not in looked.stdout
    assert "ended early" in looked.stdout
    assert "the run was interrupted; continue it with run --resume" in looked.stdout
    again = lab.run("run", "in", "--out", "out", *TWO_WORKERS)
    assert (again.wait(), again.stderr.count("\n")) == (2, 1)
    assert "already holds a run" in again.stderr
    wait_until(lambda: not lab.processes(), "monitor and sampler have ended", MONITOR_GIVEN_UP_SECONDS)


def test_a_run_folder_belongs_to_one_process_at_a_time(interrupted: Interrupted) -> None:
    in_use = f"virnucpro-bus: out: in use by another run (pid {interrupted.command.pid}); "
    for second in (("run", "in", "--out", "out", *TWO_WORKERS), ("hub", "out")):
        refused = interrupted.lab.run(*second)
        assert refused.wait() == 2
        assert refused.stderr == in_use + "choose another folder, or wait for its end\n"
    interrupted.gates.open()
    assert interrupted.exit_codes() == (0, 0, 0)
    assert results(interrupted.run_dir).keys() == result_names(interrupted.names)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGUSR1])
def test_a_signal_to_all_processes_of_a_run_ends_it_in_order(
    interrupted: Interrupted, number: signal.Signals
) -> None:
    """As a shell, a batch system or a service manager sends it, whatever the launcher has set apart."""
    in_hand = set(interrupted.gates.waiting())
    interrupted.lab.signal_all(number)
    interrupted.command.until_it_says("finishing the files in progress")
    interrupted.gates.open()
    assert interrupted.exit_codes() == (128 + number,) * 3
    assert results(interrupted.run_dir).keys() == result_names(in_hand)
    assert interrupted.leftovers() == set()


def test_a_command_that_was_ended_by_a_signal_to_all_processes_is_run_again(lab: Lab) -> None:
    (name,) = small_files(lab.folder / "in", 1)
    gate = lab.folder / "gate"
    gate.touch()
    command = f"touch {{outdir}}/begun; while test -e {gate}; do sleep 0.05; done; cp {{input}} {{output}}"
    running = lab.start(
        *("run", "in", "--out", "out", *TWO_WORKERS, "--retries", "0", "--job", f"shell:{command}")
    )
    running.until(lambda: list((lab.folder / "out").glob(".attempts/*/begun")), "the command runs")
    lab.signal_all(signal.SIGTERM)
    running.until_it_says("finishing the files in progress")
    gate.unlink()
    assert running.wait() == 0, running.stderr
    assert (lab.folder / "out" / "results" / name).exists()
    assert summary(lab.folder / "out")["totals"]["files_failed"] == 0


# Jobs


def test_a_job_that_raises_costs_that_file_alone(lab: Lab) -> None:
    names = small_files(lab.folder / "in", 8)
    ended = lab.run(
        *(
            "run",
            "in",
            "--out",
            "out",
            *TWO_WORKERS,
            "--job",
            "user_jobs:raising",
            "--job-option",
            f"bad={names[0]}",
        )
    )
    assert ended.wait() == 3
    found = summary(lab.folder / "out")
    assert found["failures"] == {names[0]: "MemoryError: out of memory \\x1b[31m on purpose"}
    assert results(lab.folder / "out").keys() == result_names(names[1:])
    assert names[0] in ended.stdout + ended.stderr
    assert "Traceback" not in ended.stdout + ended.stderr
    logs = "".join(path.read_text() for path in (lab.folder / "out" / "logs").iterdir())
    assert "Traceback" in logs
    assert "MemoryError" in logs


def test_a_job_that_cannot_be_loaded_is_one_line_and_no_run(lab: Lab) -> None:
    small_files(lab.folder / "in", 3)
    (lab.folder / "broken_module.py").write_text("def job(:\n")
    ended = lab.run("run", "in", "--out", "out", *TWO_WORKERS, "--job", "broken_module:job")
    assert ended.wait() == 2
    (line,) = ended.stderr.splitlines()
    assert line.startswith("virnucpro-bus: ")
    assert "broken_module:job" in line
    assert "SyntaxError" in line
