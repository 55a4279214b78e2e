"""A real hub with real monitors, and events for them.

from tests.support.live_bus import Bus, complete
"""

from __future__ import annotations

import json
import signal
import time
from typing import Any

from tests.support.lab import Lab, wait_until
from virnucpro_bus.capture.reader import CaptureReader
from virnucpro_bus.events.vocabulary import Device
from virnucpro_bus.publish.publisher import Publisher
from virnucpro_bus.run_folder import BusAddresses, read_addresses

SEQUENCES = 3


class Monitor:
    """A running `monitor --json`."""

    def __init__(self, lab: Lab) -> None:
        self.command = lab.start("monitor", "bus", "--json", "--interval", "0.1")

    @property
    def reports(self) -> list[dict[str, Any]]:
        """Every object that it has printed so far; the last line may be under way still."""
        whole, _, _ = self.command.stdout.rpartition("\n")
        return [json.loads(line) for line in whole.splitlines()]

    @property
    def totals(self) -> dict[str, Any]:
        """The newest totals; empty before the first."""
        lines = self.command.stdout.rpartition("\n")[0].rsplit("\n", 1)
        return json.loads(lines[-1])["totals"] if lines[-1] else {}

    def until_it_shows(self, completed: int, lost: int = 0) -> dict[str, Any]:
        """Wait until it has that many files, and all events but `lost`; its totals."""

        def exact() -> bool:
            totals = self.totals
            return (totals["files_completed"], totals["events_lost"]) == (completed, lost)

        self.command.until(lambda: self.reports, "the monitor has begun")
        wait_until(exact, f"{completed} files, {lost} lost")
        return self.totals

    def until_it_has_all_of(self, bus: Bus) -> dict[str, Any]:
        """Wait until it has every event on record; its totals."""

        def complete() -> bool:
            return bool(self.totals) and self.totals["events_received"] == bus.recorded()

        wait_until(complete, "all events")
        return self.totals


class Bus:
    """A running `hub`, and events for it."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.hub = lab.start("hub", "bus")
        self.hub.until(lambda: "monitor" in self.hub.stdout, "the hub is up")
        self.run_dir = lab.folder / "bus"
        self.addresses: BusAddresses = read_addresses(self.run_dir)
        self._monitors: list[Monitor] = []

    def monitor(self) -> Monitor:
        self._monitors.append(Monitor(self.lab))
        return self._monitors[-1]

    def publisher(self, device: str = "cpu:0") -> Publisher:
        return Publisher(self.addresses.publish, device=Device(device), source=device)

    def recorded(self) -> int:
        """Events in the capture."""
        return sum(1 for _ in CaptureReader(self.run_dir / "run.vbus"))

    def stop(self) -> None:
        """End everything, whatever state it is in."""
        for monitor in self._monitors:
            monitor.command.signal(signal.SIGINT)
        self.hub.signal(signal.SIGCONT)
        self.hub.signal(signal.SIGINT)
        self.hub.wait()


def complete(publisher: Publisher, files: int, *, at_once: int = 2_000, pause_seconds: float = 0.01) -> None:
    """Report so many files, hardly faster than a hub can take them."""
    for number in range(files):
        publisher.file_completed("a.fa", sequences=SEQUENCES, duration_seconds=0.1)
        if number % at_once == at_once - 1:
            time.sleep(pause_seconds)
