"""Runs on shared disks and in containers: a live run is seen as live, and no second host takes it over."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.lab import Lab, Started

OTHER_HOST = {"PYTHONPATH": str(Path(__file__).parents[1] / "support" / "other_host")}
NAMESPACE = ("unshare", "--user", "--map-root-user", "--mount", "--uts")
CONTAINER = (*NAMESPACE, "sh", "-c", 'hostname c0ffee && mount --bind . /mnt && cd /mnt && exec "$@"', "sh")


def arguments(inputs: Path) -> tuple[str | Path, ...]:
    return ("run", inputs, "--out", "out", "--devices", "cpu:2", "--no-dashboard", "--job", "user_jobs:slow")


def until_it_works(run: Started, lab: Lab) -> None:
    run.until(lambda: len(list((lab.folder / "out" / "results").glob("*"))) > 3, "some results")


def test_a_run_that_is_live_on_another_host_is_refused_there_and_stays_whole(lab: Lab, forty: Path) -> None:
    run = lab.start(*arguments(forty))
    until_it_works(run, lab)
    other = lab.run(*arguments(forty), "--resume", **OTHER_HOST)
    assert other.wait() == 2
    assert f"out: in use by another run (pid {run.pid} on " in other.stderr
    assert other.stderr.count("\n") == 1
    assert run.wait() == 0
    assert "40 of 40 files done" in run.stdout


def test_a_run_in_a_container_is_live_outside_of_it(lab: Lab, forty: Path) -> None:
    trial = subprocess.run([*CONTAINER, "true"], cwd=lab.folder, capture_output=True, check=False)
    if shutil.which("unshare") is None or trial.returncode:
        pytest.skip("a mount in a namespace of one's own is not permitted here")
    inputs = forty.relative_to(lab.folder) if forty.is_relative_to(lab.folder) else forty
    run = lab.start(*arguments(inputs), prefix=CONTAINER)
    until_it_works(run, lab)
    watching = lab.run("monitor", "out", "--json")
    assert watching.wait() == 0
    assert "interrupted" not in watching.stderr
    report = json.loads(watching.stdout.splitlines()[-1])
    assert (report["totals"]["files_completed"], report["totals"]["events_lost"]) == (40, 0)
    assert run.wait() == 0
