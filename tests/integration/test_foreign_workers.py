"""Workers that we did not start, with two lines of ours: the hub records them, and monitors show them exactly."""

from __future__ import annotations

import json
import shlex
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.lab import Lab, Started, wait_until
from tests.support.paths import SCRIPTS
from tests.support.samples import SAMPLE, recorded
from virnucpro_bus.events.vocabulary import FileCompleted, WorkStolen

EXAMPLE = SCRIPTS / "example_workers.py"
FILES = sorted(SAMPLE.iterdir())
SEQUENCES = 2001  # 2,000 reads and the phage
WORKER = """
from virnucpro_bus import Publisher

bus = Publisher.connect()
bus.file_completed("one.fa", sequences=250, duration_seconds=3.2)
bus.work_stolen(source=0, file="one.fa")
"""
DEVICE_OF_ENVIRONMENT = {
    "cpu:0": {},
    "cuda:2": {"LOCAL_RANK": "2"},
    "cuda:3": {"CUDA_VISIBLE_DEVICES": "3"},
    "cuda:5": {"CUDA_VISIBLE_DEVICES": "4,5,6", "LOCAL_RANK": "1"},
    "cpu:1": {"CUDA_VISIBLE_DEVICES": "", "LOCAL_RANK": "1"},
    "GPU-0a1b2c3d": {"CUDA_VISIBLE_DEVICES": "GPU-0a1b2c3d"},
}
# What is written in the child of a multiprocessing program that never says close().
CHILDREN = """
import multiprocessing
import sys

from virnucpro_bus import Publisher

def work(number):
    bus = Publisher.connect(device=f"cpu:{number}")
    for index in range(20):
        bus.file_completed(f"{number}_{index}.fa", sequences=3, duration_seconds=0.1)

if __name__ == "__main__":
    context = multiprocessing.get_context(sys.argv[1])
    children = [context.Process(target=work, args=(number,)) for number in range(2)]
    for child in children:
        child.start()
    for child in children:
        child.join()
"""


class Bus:
    """A running `virnucpro-bus hub`."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._hub = lab.start("hub", "bus")
        self._hub.until(lambda: self._hub.stdout.count("\n") >= 1, "the hub says where it is")
        word, *settings = shlex.split(self._hub.stdout.splitlines()[0])
        assert word == "export"
        self.environment = dict(setting.split("=", 1) for setting in settings)
        self.run_dir = lab.folder / "bus"

    def work(self, program: Path, *arguments: str | Path, **environment: str) -> Started:
        """Run a Python program as the user does who has pasted the hub's line."""
        ended = self._lab.run(*arguments, program=program, **self.environment, **environment)
        assert ended.wait() == 0, ended.stderr
        return ended

    def report(self, command: str = "monitor") -> dict[str, Any]:
        ended = self._lab.run(command, "bus", "--once", "--json")
        assert ended.wait() == 0, ended.stderr
        found: dict[str, Any] = json.loads(ended.stdout)
        return found

    def report_of(self, files: int) -> dict[str, Any]:
        """The monitor's object once so many files have been completed."""
        reports: list[dict[str, Any]] = []

        def look() -> bool:
            reports.append(self.report())
            return int(reports[-1]["totals"]["files_completed"]) >= files

        wait_until(look, f"{files} files", seconds=5)
        return reports[-1]

    def stop(self, number: signal.Signals = signal.SIGINT) -> Started:
        self._hub.signal(number)
        self._hub.wait()
        return self._hub


@pytest.fixture
def bus(lab: Lab) -> Iterator[Bus]:
    running = Bus(lab)
    yield running
    running.stop()


PASSING = {"throughput", "seconds_since_done"}


def without_time(report: dict[str, Any]) -> dict[str, Any]:
    """The object without what goes on changing after the last event, and without the machine's own GPUs."""
    devices = [
        {key: value for key, value in device.items() if key not in PASSING}
        for device in report["devices"]
        if device["state"] != "unused"
    ]
    totals = {key: value for key, value in report["totals"].items() if not key.startswith("events_")}
    return {"devices": devices, "totals": totals, "steals": report["steals"]}


def test_the_example_is_counted_exactly_and_replays_to_the_same(bus: Bus) -> None:
    bus.work(EXAMPLE, *FILES)
    seen = bus.report_of(len(FILES))
    totals = seen["totals"]
    assert totals["files_total"] is None
    assert (totals["files_completed"], totals["files_failed"]) == (len(FILES), 0)
    assert totals["sequences"] == SEQUENCES
    assert totals["events_lost"] == 0
    assert totals["events_received"] == totals["events_published"]
    devices = {device["device_id"]: device for device in seen["devices"] if device["state"] != "unused"}
    assert {name: device["state"] for name, device in devices.items()} == dict.fromkeys(
        ("cpu:0", "cpu:1", "cpu:2"), "stopped"
    )
    assert bus.stop().wait() == 0
    assert without_time(bus.report("replay")) == without_time(seen)
    done = Counter(envelope.event.file for envelope in recorded(bus.run_dir, FileCompleted))
    assert done == Counter(path.name for path in FILES)
    steals = Counter(envelope.event.thief for envelope in recorded(bus.run_dir, WorkStolen))
    assert steals.total() == totals["steals"] == len(seen["steals"])
    assert {name: device["work_stolen_to"] for name, device in devices.items()} == {
        name: steals[name] for name in devices
    }


@pytest.mark.parametrize("method", ["spawn", "fork", "forkserver"])
def test_nothing_is_lost_by_children_that_end_without_closing(bus: Bus, lab: Lab, method: str) -> None:
    program = lab.folder / "children.py"
    program.write_text(CHILDREN)
    bus.work(program, method)
    totals = bus.report_of(40)["totals"]
    assert (totals["files_completed"], totals["sequences"], totals["events_lost"]) == (40, 120, 0)


def test_two_lines_are_enough_and_the_device_is_told_by_the_environment(bus: Bus, lab: Lab) -> None:
    program = lab.folder / "worker.py"
    program.write_text(WORKER)
    for environment in DEVICE_OF_ENVIRONMENT.values():
        bus.work(program, **environment)
    seen = bus.report_of(len(DEVICE_OF_ENVIRONMENT))
    done = {row["device_id"]: row["sequences"] for row in seen["devices"] if row["files_completed"]}
    assert done == dict.fromkeys(DEVICE_OF_ENVIRONMENT, 250)
    uuids = [row["uuid"] for row in seen["devices"] if row["files_completed"] and row["uuid"]]
    assert uuids == ["GPU-0a1b2c3d"]
    assert {steal["source_gpu"] for steal in seen["steals"]} == {"cuda:0"}
    assert [steal["dest_gpu"] for steal in seen["steals"]] == list(DEVICE_OF_ENVIRONMENT)


def test_a_worker_without_an_address_is_told_what_to_do(lab: Lab) -> None:
    program = lab.folder / "worker.py"
    program.write_text(WORKER)
    ended = lab.run(program=program)
    assert ended.wait() == 1
    assert ended.stderr.splitlines()[-1].endswith(
        "AddressError: no bus address: pass one, or set VIRNUCPRO_BUS (the hub prints it)"
    )


def test_a_hub_that_is_terminated_ends_in_order_too(bus: Bus) -> None:
    ended = bus.stop(signal.SIGTERM)
    assert ended.wait() == 0
    assert ended.stderr == ""
    assert "events recorded in bus/run.vbus" in ended.stdout.splitlines()[-1]
    assert {path.name for path in bus.run_dir.iterdir()} == {"run.vbus"}
