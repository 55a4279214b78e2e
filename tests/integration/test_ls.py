"""Real runs, as `ls` lists them: one that works, one that is over, one that was killed."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.support.lab import Lab
from tests.support.run_files import Gates, small_files


@pytest.fixture(autouse=True)
def _home(lab: Lab) -> None:
    lab.environment["XDG_STATE_HOME"] = str(lab.folder / "state")


def listed(lab: Lab, *arguments: str) -> dict[str, dict[str, Any]]:
    """What `ls` says of each run, by the name of its folder, in the order of its lines."""
    printed = lab.run("ls", "--json", *arguments)
    assert printed.wait() == 0, printed.stderr
    return {Path(row["folder"]).name: row for row in json.loads(printed.stdout)["runs"]}


def test_runs_are_listed_as_they_stand_until_their_folders_are_gone(lab: Lab) -> None:
    options = ("--devices", "cpu:2", "--no-dashboard")
    files = small_files(lab.folder / "in", 4)
    assert lab.run("run", "in", "--out", "over", *options).wait() == 0
    gates = Gates(lab.folder / "gates")
    gates.close(*files)
    running = lab.start("run", "in", "--out", "live", *options, "--job", "user_jobs:gated",
                        "--job-option", gates.option)  # fmt: skip
    running.until(lambda: len(gates.waiting()) == 2, "two workers are at their gates")
    found = listed(lab)
    assert list(found) == ["live", "over"]
    over, live = found["over"], found["live"]
    assert (over["state"], over["exit_code"], over["files_completed"], over["devices"]) == ("finished", 0, 4, 2)
    assert (live["state"], live["files_total"], live["files_completed"], live["devices"]) == ("running", 4, 0, 2)
    assert live["elapsed_seconds"] > 0
    running.signal(signal.SIGSTOP)
    stopped = listed(lab)["live"]
    assert (stopped["state"], stopped["run"], stopped["files_completed"]) == ("running", live["run"], None)
    assert stopped["started"] == pytest.approx(live["started"], abs=5)
    running.signal(signal.SIGKILL)
    running.wait()
    killed = listed(lab, ".")["live"]
    assert (killed["state"], killed["run"], killed["files_completed"]) == ("broken off", live["run"], None)
    (lab.folder / "over").rename(lab.folder / "moved")
    assert list(listed(lab)) == ["live"]
    lines = lab.run("ls", ".").stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["STATE", "broken", "finished"]
