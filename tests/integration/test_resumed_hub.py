"""A hub without a launcher ends, or is killed, and another one continues in its folder: no event is missing."""

from __future__ import annotations

import json
import re
import signal
import socket

import pytest

from tests.support.in_process import refusal
from tests.support.lab import Lab, Started, wait_until
from virnucpro_bus.capture.compression import ZSTD_MAGIC
from virnucpro_bus.clock import SystemClock
from virnucpro_bus.events.vocabulary import Device
from virnucpro_bus.publish.publisher import Publisher
from virnucpro_bus.run_folder import read_addresses
from virnucpro_bus.sources.playback import fold_capture


def started(lab: Lab, *options: str) -> Started:
    hub = lab.start("hub", "bus", *options)
    hub.until_it_shows("the bus is up")
    return hub


def publish(publisher: Publisher, count: int) -> None:
    for number in range(count):
        publisher.file_completed(f"{number}.fa", sequences=1, duration_seconds=0.1)


def test_hubs_that_were_killed_and_that_ended_are_continued_and_no_event_is_missing(
    lab: Lab, capsys: pytest.CaptureFixture[str]
) -> None:
    capture = lab.folder / "bus" / "run.vbus"

    def completed_and_lost() -> tuple[int, int]:
        totals = fold_capture(capture, SystemClock()).get_totals()
        return totals["files_completed"], totals["events_lost"]

    first = started(lab)
    before = read_addresses(capture.parent)
    with Publisher(before.publish, device=Device("cpu:0"), source="w0", run=before.run) as publisher:
        publish(publisher, 500)
        first.signal(signal.SIGKILL)
        first.wait()
        publish(publisher, 500)
        second = started(lab)
        assert read_addresses(capture.parent).publish == before.publish
        publish(publisher, 500)
        # A heartbeat may count files whose events are only sent again after it.
        wait_until(lambda: completed_and_lost() == (1_500, 0), "all events are on record")
        second.signal(signal.SIGINT)
        assert second.wait() == 0
        assert capture.read_bytes().startswith(ZSTD_MAGIC)
        publish(publisher, 500)
        assert "add --resume to continue it" in refusal(capsys, "hub", str(capture.parent))
        third = started(lab, "--resume", "--listen", "tcp://127.0.0.1:*")
        after = read_addresses(capture.parent)
        assert (after.run, after.publish) == (before.run, before.publish)
        wait_until(lambda: completed_and_lost() == (2_000, 0), "all events are on record again")
        watched = re.search(r"watch it with: virnucpro-bus monitor (tcp://\S+)", third.stdout)
        assert watched is not None
        report = json.loads(lab.run("monitor", watched[1], "--once", "--json").stdout)
    third.signal(signal.SIGINT)
    assert third.wait() == 0
    assert "the last hub here was killed: its capture is continued" in second.stdout
    assert "the last hub here has ended: its capture is continued" in third.stdout
    assert third.stdout.splitlines()[-1] == "# to continue: virnucpro-bus hub bus --resume"
    assert (report["totals"]["files_completed"], report["totals"]["events_lost"]) == (2_000, 0)
    assert completed_and_lost() == (2_000, 0)


def test_a_hub_that_cannot_listen_leaves_nothing_behind(lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"tcp://127.0.0.1:{taken.getsockname()[1]}"
        assert f"{address}: cannot listen there" in refusal(capsys, "hub", lab.folder / "bus", "--listen", address)
    assert not (lab.folder / "bus").exists()
