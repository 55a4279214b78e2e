"""A stream that can be trusted: viewers come, stand still, die and come back; what is counted has happened."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import zmq

from tests.support.lab import Lab, wait_until
from tests.support.live_bus import SEQUENCES, Bus, complete
from virnucpro_bus.publish.outbox import HIGH_WATER_MARK as PIPE_FRAMES
from virnucpro_bus.publish.outbox import SPOOL_FRAMES
from virnucpro_bus.sockets import HIGH_WATER_MARK

MORE_THAN_A_PIPE_HOLDS = HIGH_WATER_MARK + 40_000
"""A viewer that takes nothing misses the last of so many."""
EXIT_SECONDS = 15.0
"""Two are promised, by a machine that has nothing else to do; whoever waits for the hub waits for ever."""

# What is written by somebody who never says close().
WORKER = """
import pathlib
import time

from virnucpro_bus import Publisher

bus = Publisher.connect(device="cpu:0")
print("connected", flush=True)
while not pathlib.Path("go").exists():
    time.sleep(0.01)
for _ in range({events}):
    bus.file_completed("a.fa", sequences=3, duration_seconds=0.1)
print("published", flush=True)
"""
FORKING = """
import os

from virnucpro_bus import Publisher

bus = Publisher.connect(device="cpu:0")
child = os.fork()
if child == 0:
    bus.file_completed("child.fa", sequences=3, duration_seconds=0.1)
    bus.close()
    os._exit(0)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
bus.file_completed("parent.fa", sequences=3, duration_seconds=0.1)
"""


def assert_true(totals: dict[str, Any], bus: Bus, files: int) -> None:
    """The totals are those of what was done and of what is on record."""
    assert (totals["files_completed"], totals["sequences"]) == (files, files * SEQUENCES)
    assert totals["events_lost"] == 0
    assert totals["events_published"] == totals["events_received"]
    assert bus.recorded() >= totals["events_received"]


PASSING = {"throughput", "seconds_since_done"}


def comparable(report: dict[str, Any]) -> dict[str, Any]:
    """The report without what goes on changing after the last event, and without the machine's own GPUs."""
    devices = [
        {key: value for key, value in device.items() if key not in PASSING}
        for device in report["devices"]
        if device["device_id"] in ("cpu:0", "cpu:1")
    ]
    totals = {
        key: value for key, value in report["totals"].items() if key not in ("events_published", "events_received")
    }
    return {"devices": devices, "totals": totals, "steals": report["steals"]}


# Viewers.


def test_a_monitor_that_comes_late_is_exact(bus: Bus) -> None:
    with bus.publisher() as publisher:
        complete(publisher, 50_000)
        late = bus.monitor()
        assert_true(late.until_it_shows(50_000), bus, 50_000)


@pytest.mark.parametrize("still_there", [True, False], ids=["source goes on", "source has ended meanwhile"])
def test_a_monitor_that_stood_still_at_full_speed_is_exact_again(bus: Bus, still_there: bool) -> None:
    publisher, monitor = bus.publisher(), bus.monitor()
    complete(publisher, 1_000)
    monitor.until_it_shows(1_000)
    monitor.command.signal(signal.SIGSTOP)
    complete(publisher, MORE_THAN_A_PIPE_HOLDS)
    if not still_there:
        publisher.close()
    monitor.command.signal(signal.SIGCONT)
    files = 1_000 + MORE_THAN_A_PIPE_HOLDS
    totals = monitor.until_it_shows(files)
    assert_true(totals, bus, files)
    publisher.close()
    assert_true(monitor.until_it_has_all_of(bus), bus, files)


def test_a_monitor_that_is_killed_and_started_again_is_exact(bus: Bus) -> None:
    with bus.publisher() as publisher:
        first = bus.monitor()
        complete(publisher, 5_000)
        first.until_it_shows(5_000)
        first.command.signal(signal.SIGKILL)
        complete(publisher, 5_000)
        again = bus.monitor()
        complete(publisher, 5_000)
        assert_true(again.until_it_shows(15_000), bus, 15_000)


def test_early_late_and_replayed_are_the_same(lab: Lab, bus: Bus) -> None:
    early = bus.monitor()
    with bus.publisher("cpu:0") as one, bus.publisher("cpu:1") as other:
        for number in range(2_000):
            one.file_started(f"{number}.fa")
            if number % 5:
                one.file_completed(f"{number}.fa", sequences=SEQUENCES, duration_seconds=0.1)
            else:
                one.file_failed(f"{number}.fa", "not FASTA")
                other.work_stolen(source="cpu:0", file=f"{number}.fa")
                other.file_progress(f"{number}.fa", 2)
    early.until_it_shows(1_600)
    late = bus.monitor()
    for monitor in (early, late):
        monitor.until_it_has_all_of(bus)
    reports = [early.reports[-1], late.reports[-1]]
    replayed = lab.run("replay", "bus", "--once", "--json")
    assert comparable(reports[0]) == comparable(reports[1]) == comparable(json.loads(replayed.stdout))
    assert reports[0]["totals"]["events_lost"] == 0


def test_a_subscriber_that_never_reads_disturbs_nobody(bus: Bus) -> None:
    monitor = bus.monitor()
    with deaf_subscriber(bus.addresses.subscribe), bus.publisher() as publisher:
        complete(publisher, MORE_THAN_A_PIPE_HOLDS)
        totals = monitor.until_it_shows(MORE_THAN_A_PIPE_HOLDS)
    assert_true(totals, bus, MORE_THAN_A_PIPE_HOLDS)


@contextmanager
def deaf_subscriber(address: str) -> Iterator[None]:
    """A subscriber that takes nothing, not even into memory of its own."""
    with zmq.Context() as context, context.socket(zmq.SUB) as deaf:
        deaf.setsockopt(zmq.LINGER, 0)
        deaf.setsockopt(zmq.RCVHWM, 1)
        deaf.subscribe(b"")
        deaf.connect(address)
        assert deaf.poll(5_000)
        yield


# Publishers.


def test_nothing_is_lost_while_the_hub_stands_still(bus: Bus) -> None:
    files = PIPE_FRAMES + 40_000
    with bus.publisher() as publisher:
        monitor = bus.monitor()
        complete(publisher, 100)
        monitor.until_it_shows(100)
        bus.hub.signal(signal.SIGSTOP)
        complete(publisher, files - 100, pause_seconds=0.04)
        bus.hub.signal(signal.SIGCONT)
        assert_true(monitor.until_it_shows(files), bus, files)


def test_what_falls_off_the_spool_is_counted_and_shown_as_lost(bus: Bus) -> None:
    files = SPOOL_FRAMES + 3 * PIPE_FRAMES
    publisher, monitor = bus.publisher(), bus.monitor()
    wait_until(lambda: monitor.totals.get("events_received"), "the monitor listens")
    bus.hub.signal(signal.SIGSTOP)
    complete(publisher, files)
    bus.hub.signal(signal.SIGCONT)
    wait_until(lambda: not publisher._outbox.pending, "the spool is empty")
    dropped = publisher._outbox.dropped
    assert dropped > 0
    # The heartbeats' totals still tell how many files were done.
    totals = monitor.until_it_shows(files, lost=dropped)
    publisher.close()
    assert totals["sequences"] == files * SEQUENCES
    # A gap that is just being filled counts as lost for a moment.
    wait_until(lambda: monitor.until_it_has_all_of(bus)["events_lost"] == dropped, f"{dropped} lost in the end")


@pytest.mark.parametrize("events", [1_000, 3 * PIPE_FRAMES], ids=["in the pipe", "in the spool too"])
@pytest.mark.parametrize("hub", ["stopped", "gone"])
def test_a_publisher_ends_in_time_without_a_hub(lab: Lab, bus: Bus, hub: str, events: int) -> None:
    program = lab.folder / "worker.py"
    program.write_text(WORKER.format(events=events))
    worker = lab.start(program=program, VIRNUCPRO_BUS=bus.addresses.publish)
    worker.until(lambda: "connected" in worker.stdout, "it is connected")
    bus.hub.signal(signal.SIGSTOP if hub == "stopped" else signal.SIGKILL)
    (lab.folder / "go").touch()
    worker.until(lambda: "published" in worker.stdout, "it has published")
    assert worker.wait(EXIT_SECONDS) == 0, worker.stderr
    unsent = re.findall(
        r"(\d+) events were never sent; the hub was gone, or did not read them$", worker.stderr, re.M
    )
    assert len(worker.stderr.splitlines()) == len(unsent) == (events > PIPE_FRAMES)
    assert all(PIPE_FRAMES < int(count) <= events + 4 for count in unsent)


def test_a_publisher_with_no_hub_from_the_beginning_ends_in_time_and_says_so(lab: Lab) -> None:
    program = lab.folder / "worker.py"
    program.write_text(WORKER.format(events=1_000))
    (lab.folder / "go").touch()
    worker = lab.start(program=program, VIRNUCPRO_BUS=f"ipc://{lab.folder}/nobody")
    worker.until(lambda: "published" in worker.stdout, "it has published")
    assert worker.wait(EXIT_SECONDS) == 0, worker.stderr
    (line,) = worker.stderr.splitlines()
    assert line.startswith(f"virnucpro-bus: ipc://{lab.folder}/nobody: no hub has answered, and ")


def test_a_forked_child_and_its_parent_are_both_counted_exactly(lab: Lab, bus: Bus) -> None:
    program = lab.folder / "forking.py"
    program.write_text(FORKING)
    ended = lab.run(program=program, VIRNUCPRO_BUS=bus.addresses.publish)
    assert ended.wait() == 0, ended.stderr
    monitor = bus.monitor()
    assert_true(monitor.until_it_shows(2), bus, 2)
