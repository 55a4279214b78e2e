"""A run that other machines can watch, and what a monitor shows of it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from tests.support.lab import Lab, Started
from tests.support.run_files import Gates, summary

RUN = ("--devices", "cpu:3", "--weights", "10,1,1", "--no-dashboard")
WATCH = re.compile(r"virnucpro-bus monitor (tcp://\S+)(?: --server-key (\w+))?")


class WatchedRun:
    """A run that can be watched, held up in its biggest file until `finish`."""

    def __init__(self, lab: Lab, forty: Path, listen: str, **how: Any) -> None:
        self._gates = Gates(lab.folder / "gates")
        self._gates.close("reads_06.fa.gz")
        job = ("--job", "user_jobs:gated", "--job-option", self._gates.option)
        self.run_dir = lab.folder / "out"
        self.running = lab.start("run", forty, "--out", "out", *RUN, *job, "--listen", listen, **how)
        self.running.until_it_says("serving; watch it with")
        found = WATCH.search(self.running.stderr)
        assert found is not None
        self.address, self.server_key = found[1], found[2]
        self.running.until(self._gates.waiting, "the job is at its gate")

    @property
    def port(self) -> str:
        return self.address.rpartition(":")[2]

    def finish(self) -> dict[str, Any]:
        """Let the run end; its summary."""
        self._gates.open()
        assert self.running.wait() == 0, self.running.stderr
        return summary(self.run_dir)


def last_report(monitor: Started) -> dict[str, Any]:
    """What it has printed last."""
    assert monitor.wait() == 0, monitor.stderr
    report: dict[str, Any] = json.loads(monitor.stdout.splitlines()[-1])
    return report
