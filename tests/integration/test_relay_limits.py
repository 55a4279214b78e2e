"""Crowds and bad manners at a relay: the run does not notice, and the relay's memory stays within bounds.

The figures that were seen are in docs/remote.md.
"""

from __future__ import annotations

import json
import resource
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import zmq

from tests.support.lab import Lab
from tests.support.run_files import COUNT
from tests.support.watched_runs import WatchedRun
from virnucpro_bus.run_folder import read_addresses

CONNECTIONS = 1_000
TOPICS = 100_000
VIEWERS = 8
QUESTIONS = 20_000
MOST_MB = 64
MOST_MB_OF_PARTS = 1_000
"""Far more than is measured: how much arrives before the relay looks depends on the machine."""


@pytest.fixture
def many_files() -> Iterator[None]:
    """Enough descriptors for the connections of one test."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = CONNECTIONS + 500
    if limits[1] != resource.RLIM_INFINITY and limits[1] < wanted:
        pytest.skip(f"this machine allows {limits[1]} open files only")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(limits[0], wanted), limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, limits)


@pytest.fixture
def run(lab: Lab, forty: Path) -> WatchedRun:
    return WatchedRun(lab, forty, "tcp://127.0.0.1:*")


def resident_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def grown_mb(run: WatchedRun, before_mb: float) -> float:
    return resident_mb(run.running.child("relay")) - before_mb


def assert_that_it_is_watched_as_before(lab: Lab, run: WatchedRun) -> None:
    monitor = lab.run("monitor", run.address, "--once", "--json")
    assert monitor.wait() == 0, monitor.stderr
    assert json.loads(monitor.stdout)["totals"]["events_lost"] == 0


def finish(run: WatchedRun) -> None:
    totals = run.finish()["totals"]
    assert (totals["files_completed"], totals["events_lost"]) == (COUNT, 0)


@pytest.mark.usefixtures("many_files")
def test_a_thousand_raw_connections(
    lab: Lab, run: WatchedRun, record_property: Callable[[str, object], None]
) -> None:
    before_mb = resident_mb(run.running.child("relay"))
    with ExitStack() as stack:
        for number in range(CONNECTIONS):
            raw = stack.enter_context(socket.create_connection(("127.0.0.1", int(run.port)), timeout=10))
            raw.sendall(b"\xff" * (number % 8))
        assert_that_it_is_watched_as_before(lab, run)
        grown = grown_mb(run, before_mb)
    record_property("grown_mb", grown)
    print(f"{CONNECTIONS} raw connections: the relay has grown by {grown:.1f} MB")
    assert grown < MOST_MB
    finish(run)


def test_one_who_asks_and_never_reads(lab: Lab, run: WatchedRun) -> None:
    before_mb = resident_mb(run.running.child("relay"))
    run_id = read_addresses(run.run_dir).run.encode()
    context = zmq.Context()
    try:
        viewers = [context.socket(zmq.DEALER) for _ in range(VIEWERS)]
        for greedy in viewers:
            greedy.setsockopt(zmq.LINGER, 0)
            greedy.setsockopt(zmq.RCVHWM, 1)
            greedy.setsockopt(zmq.SNDHWM, 0)
            greedy.connect(run.address)
            for number in range(QUESTIONS):
                greedy.send_multipart([str(number).encode(), b"follow", run_id, b"0"])
        assert_that_it_is_watched_as_before(lab, run)
        grown = grown_mb(run, before_mb)
    finally:
        context.destroy(linger=0)
    print(f"{VIEWERS} viewers, {QUESTIONS} questions each, no answer read: the relay has grown by {grown:.1f} MB")
    assert grown < MOST_MB
    finish(run)


def is_cut_off(port: int, most_bytes: int) -> bool:
    """Send parts of one message, each with the mark that more follow. Whether the relay closes the connection."""
    greeting = b"\xff" + bytes(8) + b"\x7f\3\0" + b"NULL".ljust(20, b"\0") + bytes(32)
    ready = b"\5READY" + b"\x0bSocket-Type" + (6).to_bytes(4, "big") + b"DEALER"
    parts = (b"\3" + (1_000).to_bytes(8, "big") + bytes(1_000)) * 1_000
    with socket.create_connection(("127.0.0.1", port), timeout=10) as raw:
        raw.sendall(greeting)
        raw.recv(len(greeting), socket.MSG_WAITALL)
        raw.sendall(b"\4" + bytes([len(ready)]) + ready)
        raw.recv(1)
        try:
            for _ in range(most_bytes // len(parts)):
                raw.sendall(parts)
        except ConnectionError:
            return True
    return False


def test_a_message_of_endless_parts(lab: Lab, run: WatchedRun) -> None:
    before_mb = resident_mb(run.running.child("relay"))
    assert is_cut_off(int(run.port), 1 << 30)
    assert_that_it_is_watched_as_before(lab, run)
    grown = grown_mb(run, before_mb)
    print(f"a message of endless parts: the relay has grown by {grown:.1f} MB")
    assert grown < MOST_MB_OF_PARTS
    finish(run)


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param(zmq.SUB, id="SUB"),
        pytest.param(zmq.XSUB, id="XSUB", marks=pytest.mark.slow),
        pytest.param(zmq.DEALER, id="DEALER", marks=pytest.mark.slow),
    ],
)
def test_a_client_with_a_hundred_thousand_topics(lab: Lab, run: WatchedRun, kind: int) -> None:
    before_mb = resident_mb(run.running.child("relay"))
    context = zmq.Context()
    try:
        client = context.socket(kind)
        client.setsockopt(zmq.SNDHWM, 0)
        client.connect(run.address)
        for number in range(TOPICS):
            topic = f"topic-{number:032}".encode()
            if kind == zmq.SUB:
                client.subscribe(topic)
            else:
                client.send(b"\x01" + topic)
        assert_that_it_is_watched_as_before(lab, run)
        grown = grown_mb(run, before_mb)
    finally:
        context.destroy(linger=0)
    print(f"{TOPICS} topics: the relay has grown by {grown:.1f} MB")
    assert grown < MOST_MB
    finish(run)
