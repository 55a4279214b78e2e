"""Signals at any moment, through a real terminal: every run ends in order, and no moment is a bad one."""

from __future__ import annotations

import os
import random
import signal

import pytest

from tests.support.lab import Lab
from tests.support.run_files import Gates, recorded, result_names, results, small_files, summary
from tests.support.terminal import CTRL_C, Terminal
from virnucpro_bus.events.run_events import RunFinished
from virnucpro_bus.events.vocabulary import FileCommitted, WorkerLost

LEFTOVERS = {".attempts", ".bus", "bus.json"}
INSTANTS, MORE_INSTANTS = 3, 20
"""At so many each way to interrupt a run is tried; with the slow tests at so many."""
LONGEST_SECONDS = 1.5
STOPPED_SECONDS = 2.0
ONCE, TWICE, TERM = "once", "twice", "term"
STATUS = {ONCE: 130, TWICE: 130, TERM: 143}


def interrupt(terminal: Terminal, how: str, after_seconds: float) -> int:
    """Let it draw for so long, then interrupt it; its exit status, when it has ended."""
    terminal.watch(after_seconds)
    if how == TERM:
        terminal.signal(signal.SIGTERM)
    else:
        terminal.type(CTRL_C)
    if how == TWICE:
        terminal.watch(0.1)
        terminal.type(CTRL_C)
    return terminal.wait()


@pytest.mark.parametrize("how", [ONCE, TWICE, TERM])
@pytest.mark.parametrize(
    "seed",
    [*range(INSTANTS), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(INSTANTS, MORE_INSTANTS))],
)
def test_a_run_that_is_interrupted_at_any_moment_ends_in_order(lab: Lab, how: str, seed: int) -> None:
    names = small_files(lab.folder / "in", 12)
    after_seconds = random.Random(f"{how} {seed}").uniform(0, LONGEST_SECONDS)
    terminal = Terminal(lab, "run", "in", "--out", "out", "--devices", "cpu:2", "--job", "user_jobs:lasting")
    status = interrupt(terminal, how, after_seconds)
    out = lab.folder / "out"
    assert not terminal.full_screen, f"{status}: {terminal.raw[-300:]!r}"
    assert not terminal.cursor_is_hidden
    ended = (STATUS[how], -signal.SIGINT, -signal.SIGTERM)
    # Before there is a run there is nothing to end in order, and Python itself may still be starting.
    if not (out / "run.vbus").exists():
        assert status in ended
        return
    assert b"Traceback" not in terminal.raw
    assert LEFTOVERS & set(os.listdir(out)) == set()
    done = [envelope.event.file for envelope in recorded(out, FileCommitted)]
    assert results(out).keys() == result_names(done)
    assert len(set(done)) == len(done)
    (end,) = recorded(out, RunFinished)
    assert end.event.files_completed == len(done)
    assert end.event.exit_code == (0 if len(done) == len(names) else STATUS[how])
    # Once the summary is written the run is over: a signal then ends the printing, or a Python that ends itself.
    assert status == end.event.exit_code or ((out / "summary.json").exists() and status in ended)


def test_sigterm_gives_the_files_in_hand_no_more_than_the_grace(lab: Lab) -> None:
    (name,) = small_files(lab.folder / "in", 1)
    gates = Gates(lab.folder / "gates")
    gates.close(name)
    running = lab.start(
        *("run", "in", "--out", "out", "--devices", "cpu:1", "--no-dashboard", "--grace", "0.5"),
        *("--job", "user_jobs:gated", "--job-option", gates.option),
    )
    running.until(gates.waiting, "the job is at its gate")
    running.signal(signal.SIGTERM)
    running.until_it_says("SIGTERM: finishing the files in progress, for 0.5 s at most")
    assert running.wait() == 143
    (loss,) = recorded(lab.folder / "out", WorkerLost)
    assert (loss.event.file, loss.event.reason) == (name, "was ended with the run")
    totals = summary(lab.folder / "out")["totals"]
    assert (totals["files_completed"], totals["files_failed"]) == (0, 0)


def test_a_second_ctrl_c_ends_a_run_whose_jobs_and_monitor_do_not_want_to_end(lab: Lab) -> None:
    small_files(lab.folder / "in", 2)
    job = "shell:trap '' TERM INT; touch {stem}.started; while :; do sleep 0.1; done; : {input}"
    running = lab.start("run", "in", "--out", "out", "--devices", "cpu:2", "--job", job)
    running.until(lambda: len(list(lab.folder.glob("*.started"))) == 2, "both jobs are at work")
    os.kill(running.child("monitor"), signal.SIGSTOP)
    running.signal(signal.SIGINT)
    running.until_it_says("press Ctrl-C again")
    running.signal(signal.SIGINT)
    # The promise is 2 s; a machine that is busy with other tests may take longer.
    assert running.wait(3 * STOPPED_SECONDS) == 130
    assert LEFTOVERS & set(os.listdir(lab.folder / "out")) == set()
