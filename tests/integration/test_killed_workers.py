"""Workers that are killed at any time: each has a successor at once, and neither file nor device is to blame."""

from __future__ import annotations

import os
import random
import signal
import threading
from collections import Counter
from contextlib import suppress

from tests.support.lab import Lab
from tests.support.run_files import recorded, results, small_files, summary
from virnucpro_bus.events.vocabulary import FileCommitted, WorkerLost

FILES = 120
JOB = """
import time

def job(input, output, context):
    time.sleep(0.02)
    (output / f"{input.stem}.txt").write_text("done")
    return 1
"""
PAUSES = (0.05, 0.3)
"""Seconds between two kills, at least and at most."""


def test_workers_that_are_killed_all_the_time_cost_no_file_and_no_device(lab: Lab) -> None:
    small_files(lab.folder / "in", FILES)
    (lab.folder / "short.py").write_text(JOB)
    running = lab.start("run", "in", "--out", "out", "--devices", "cpu:2", "--no-dashboard", "--job", "short:job")
    chance, kills = random.Random(7), 0
    while running.process.poll() is None:
        threading.Event().wait(chance.uniform(*PAUSES))
        workers = [pid for pid, command in running.children().items() if "workers.process.worker" in command]
        if workers:
            with suppress(ProcessLookupError):
                os.kill(chance.choice(workers), signal.SIGKILL)
            kills += 1
    assert running.wait() == 0, running.stderr
    assert "is retired" not in running.stderr
    assert kills >= len(recorded(lab.folder / "out", WorkerLost)) >= 3
    assert len(results(lab.folder / "out")) == FILES
    committed = Counter(envelope.event.file for envelope in recorded(lab.folder / "out", FileCommitted))
    assert (len(committed), committed.total()) == (FILES, FILES)
    assert summary(lab.folder / "out")["totals"]["files_failed"] == 0
