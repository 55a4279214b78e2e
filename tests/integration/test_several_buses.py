"""Several buses watched by one real monitor: one that fails does not end the others."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.lab import Lab, Started, wait_until
from tests.support.run_files import Gates, small_files
from virnucpro_bus.events.vocabulary import Device
from virnucpro_bus.publish.publisher import Publisher
from virnucpro_bus.run_folder import BUS_FILE, read_addresses

AT_ONCE_SECONDS = 2.0
"""Generous for a busy machine."""


@pytest.fixture
def hubs(lab: Lab) -> Iterator[dict[str, Started]]:
    """Two hubs, by run folder."""
    hubs = {name: lab.start("hub", name) for name in ("one", "two")}
    for hub in hubs.values():
        hub.until_it_shows("monitor")
    yield hubs
    for hub in hubs.values():
        if hub.running:
            hub.signal(signal.SIGCONT)
            hub.signal(signal.SIGINT)
        hub.wait()


def publisher(lab: Lab, name: str, device: str = "cpu:0") -> Publisher:
    return Publisher(read_addresses(lab.folder / name).publish, device=Device(device), source=device)


def complete(lab: Lab, name: str, files: int, device: str = "cpu:0") -> None:
    """A worker of this bus does so many files and ends."""
    with publisher(lab, name, device) as bus:
        for _ in range(files):
            bus.file_completed("a.fa", sequences=3, duration_seconds=0.1)


def watched(lab: Lab, *targets: str | Path) -> Started:
    return lab.start("monitor", *targets, "--json", "--interval", "0.1")


def latest(monitor: Started) -> dict[str, Any]:
    """The last whole object that it has printed."""
    lines = monitor.stdout.rpartition("\n")[0].splitlines()
    return json.loads(lines[-1]) if lines else {}


def until_it_shows(monitor: Started, files: int) -> dict[str, Any]:
    monitor.until(lambda: latest(monitor).get("totals", {}).get("files_completed") == files, f"{files} files")
    return latest(monitor)


def done(report: dict[str, Any]) -> list[tuple[str, int]]:
    """Each device that has done anything, in the order of the rows."""
    return [(row["device_id"], row["files_completed"]) for row in report["devices"] if row["files_completed"]]


def test_two_buses_are_shown_once_as_one_fleet(lab: Lab, hubs: dict[str, Started]) -> None:
    complete(lab, "one", 5, "cpu:1")
    complete(lab, "two", 7, "cpu:0")
    complete(lab, "two", 2, "cpu:1")
    shown = lab.run("monitor", *hubs, "--once", "--json")
    assert (shown.wait(), shown.stderr) == (0, "")
    report = json.loads(shown.stdout)
    # Both buses are on this host: its rows are together, by index, and are not added up.
    assert done(report) == [("cpu:0", 7), ("cpu:1", 5), ("cpu:1", 2)]
    assert report["totals"]["files_completed"] == 14
    assert report["totals"]["events_lost"] == 0
    assert report["totals"]["events_published"] == report["totals"]["events_received"]


def test_when_one_is_killed_the_others_go_on_and_it_is_said(lab: Lab, hubs: dict[str, Started]) -> None:
    complete(lab, "one", 5)
    complete(lab, "two", 7)
    monitor = watched(lab, *hubs)
    until_it_shows(monitor, 12)
    hubs["two"].signal(signal.SIGKILL)
    monitor.until_it_says("virnucpro-bus: two: the hub of this run")
    complete(lab, "one", 4, "cpu:1")
    report = until_it_shows(monitor, 16)
    assert sorted(done(report)) == [("cpu:0", 5), ("cpu:0", 7), ("cpu:1", 4)]
    monitor.signal(signal.SIGTERM)
    assert monitor.wait() == 128 + signal.SIGTERM
    assert monitor.stderr.count("\n") == 1


def test_when_all_are_killed_it_ends_with_one_line_on_each(lab: Lab, hubs: dict[str, Started]) -> None:
    monitor = lab.start("monitor", *hubs, "--interval", "0.1")
    monitor.until(lambda: "files 0" in monitor.stdout, "the first line")
    for hub in hubs.values():
        hub.signal(signal.SIGKILL)
    assert monitor.wait() == 2
    assert monitor.stderr.count("\n") == 1
    assert all(f"{name}: the hub of this run" in monitor.stderr for name in hubs)
    assert "Traceback" not in monitor.stdout + monitor.stderr


def test_one_that_was_never_there_is_a_line_of_health(lab: Lab, hubs: dict[str, Started]) -> None:
    complete(lab, "one", 5)
    shown = lab.run("monitor", "one", "missing", "--once")
    assert shown.wait() == 0
    assert "one, missing" in shown.stdout
    assert "5 files done" in shown.stdout
    assert "missing: is neither a run folder nor an address" in shown.stdout
    assert shown.stderr.startswith("virnucpro-bus: missing: is neither")


def test_when_none_is_there_it_is_one_line_and_status_2(lab: Lab) -> None:
    shown = lab.run("monitor", "nowhere", "missing")
    assert (shown.wait(), shown.stdout) == (2, "")
    assert shown.stderr.count("\n") == 1
    assert "nowhere: is neither" in shown.stderr
    assert "missing: is neither" in shown.stderr


@pytest.mark.parametrize("standing", [(), ("one", "two")], ids=["both live", "both stand"])
def test_a_signal_ends_it_at_once_even_while_it_waits_for_a_hub(
    lab: Lab, hubs: dict[str, Started], standing: tuple[str, ...]
) -> None:
    complete(lab, "one", 5)
    # By address: only the hub itself can then tell whether it lives, and is waited for.
    monitor = watched(lab, *(read_addresses(lab.folder / name).history for name in hubs))
    until_it_shows(monitor, 5)
    for name in standing:
        hubs[name].signal(signal.SIGSTOP)
    if standing:
        # A quiet bus is asked whether it lives, after two seconds; then the answer is waited for.
        wait_until(lambda: latest(monitor) and len(monitor.stdout.splitlines()) > 35, "three seconds of reports")
    monitor.signal(signal.SIGINT)
    assert monitor.wait(AT_ONCE_SECONDS) == 128 + signal.SIGINT
    assert monitor.stderr == ""


def test_a_run_that_is_over_is_shown_beside_one_that_is_live(lab: Lab, hubs: dict[str, Started]) -> None:
    complete(lab, "one", 5)
    complete(lab, "two", 7)
    before = watched(lab, "two")
    # What a hub has not received when it is ended is lost.
    until_it_shows(before, 7)
    hubs["two"].signal(signal.SIGINT)
    hubs["two"].wait()
    assert before.wait() == 0
    monitor = watched(lab, *hubs)
    until_it_shows(monitor, 12)
    complete(lab, "one", 1, "cpu:1")
    until_it_shows(monitor, 13)
    hubs["one"].signal(signal.SIGKILL)
    assert monitor.wait() == 0


def test_an_address_that_is_out_of_contact_is_told_of_once_and_comes_back(
    lab: Lab, hubs: dict[str, Started]
) -> None:
    complete(lab, "two", 7)
    relay = lab.start("relay", "one", "--listen", "tcp://127.0.0.1:*")
    relay.until(lambda: "tcp://" in relay.stdout, "the relay is up")
    monitor = watched(lab, relay.stdout.split()[-1], "two")
    until_it_shows(monitor, 7)
    relay.signal(signal.SIGSTOP)
    monitor.until_it_says(": no contact for 3 s")
    complete(lab, "one", 5)
    relay.signal(signal.SIGCONT)
    report = until_it_shows(monitor, 12)
    assert report["totals"]["events_lost"] == 0
    assert monitor.stderr.count("\n") == 1
    relay.signal(signal.SIGINT)
    relay.wait()
    monitor.signal(signal.SIGINT)
    monitor.wait()


def test_it_ends_when_all_runs_are_over(lab: Lab) -> None:
    gates = Gates(lab.folder / "gates")
    gates.close(small_files(lab.folder / "in", 4)[-1])
    job = ("--job", "user_jobs:gated", "--job-option", gates.option)
    runs = {
        name: lab.start("run", "in", "--out", name, "--devices", "cpu:1", "--no-dashboard", *job)
        for name in ("one", "two")
    }
    for name, run in runs.items():
        run.until((lab.folder / name / BUS_FILE).exists, "its bus")
    monitor = watched(lab, *runs)
    until_it_shows(monitor, 6)
    gates.open()
    assert monitor.wait() == 0, monitor.stderr
    assert [run.wait() for run in runs.values()] == [0, 0]
    totals = latest(monitor)["totals"]
    assert (totals["files_total"], totals["files_completed"], totals["events_lost"]) == (8, 8, 0)
    assert len(done(latest(monitor))) == 2
