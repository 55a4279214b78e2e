"""A run whose workers load a model says so while they do, and afterwards for how long."""

from __future__ import annotations

import re

from tests.support.lab import Lab
from tests.support.run_files import Gates, small_files, summary

DEVICES = ["cpu:0", "cpu:1"]
LOADING = re.compile(r"\| 2 loading \| cpu:0( cpu \d+%)? loading 0:\d\d .*\| cpu:1( cpu \d+%)? loading 0:\d\d")


def test_that_workers_load_is_shown_while_they_do_and_counted_by_itself(lab: Lab) -> None:
    small_files(lab.folder / "in", 4)
    gates = Gates(lab.folder / "gates")
    gates.close(*DEVICES)
    running = lab.start(
        *("run", "in", "--out", "out", "--devices", "cpu:2", "--no-dashboard"),
        *("--job", "user_jobs:GatedModel", "--job-option", gates.option),
    )
    running.until(lambda: len(gates.waiting()) == 2, "both workers load")
    watcher = lab.start("monitor", "out", "--interval", "0.2", "--line-interval", "0.2")
    watcher.until(lambda: LOADING.search(watcher.stdout), "the state and the time of both")
    gates.open()
    assert running.wait() == 0, running.stderr
    assert watcher.wait() == 0, watcher.stderr
    assert "loading" not in watcher.stdout.splitlines()[-1]
    told = summary(lab.folder / "out")
    assert [row["state"] for row in told["devices"]] == ["stopped", "stopped"]
    took = {row["device_id"]: row["loading_seconds"] for row in told["devices"]}
    assert told["effect"]["loading_seconds"] == took
    assert all(took.values())
    assert "(of all workers; " in lab.run("effect", "out").stdout
