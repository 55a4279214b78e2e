"""A hub, and programs that join it as a user's programs do, with the line that the hub prints."""

from __future__ import annotations

import json
import shlex
import signal
from pathlib import Path
from typing import Any

from tests.support.lab import Lab, Started, wait_until

PASSING = {"throughput", "seconds_since_done"}


class ForeignBus:
    """A running `virnucpro-bus hub`, and what its monitors report."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._hub = lab.start("hub", "bus")
        self._hub.until(lambda: self._hub.stdout.count("\n") >= 1, "the hub prints its address")
        word, *settings = shlex.split(self._hub.stdout.splitlines()[0])
        assert word == "export"
        self.environment = dict(setting.split("=", 1) for setting in settings)
        self.run_dir = lab.folder / "bus"

    def work(self, program: Path, *arguments: str | Path, **environment: str) -> Started:
        """Run a Python program with the hub's address in its environment."""
        ended = self._lab.run(*arguments, program=program, **self.environment, **environment)
        assert ended.wait() == 0, ended.stderr
        return ended

    def report(self, command: str = "monitor") -> dict[str, Any]:
        """The object that a monitor, or a replay, prints now."""
        ended = self._lab.run(command, "bus", "--once", "--json")
        assert ended.wait() == 0, ended.stderr
        found: dict[str, Any] = json.loads(ended.stdout)
        return found

    def report_of(self, files: int) -> dict[str, Any]:
        """The monitor's object once so many files have been completed."""
        reports: list[dict[str, Any]] = []

        def all_completed() -> bool:
            reports.append(self.report())
            return int(reports[-1]["totals"]["files_completed"]) >= files

        wait_until(all_completed, f"{files} files", seconds=5)
        return reports[-1]

    def stop(self, number: signal.Signals = signal.SIGINT) -> Started:
        """Send the hub a signal and wait until it has ended. Safe to call twice."""
        self._hub.signal(number)
        self._hub.wait()
        return self._hub


def without_time(report: dict[str, Any]) -> dict[str, Any]:
    """The object without what changes after the last event, and without the machine's own GPUs."""
    devices = [
        {key: value for key, value in device.items() if key not in PASSING}
        for device in report["devices"]
        if device["state"] != "unused"
    ]
    totals = {key: value for key, value in report["totals"].items() if not key.startswith("events_")}
    return {"devices": devices, "totals": totals, "steals": report["steals"]}
