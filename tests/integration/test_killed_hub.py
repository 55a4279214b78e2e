"""A hub without a launcher is killed and started again in its folder: workers and viewers miss nothing."""

from __future__ import annotations

import json
import signal

from tests.support.lab import Lab, Started, wait_until
from virnucpro_bus.clock import SystemClock
from virnucpro_bus.events.vocabulary import Device
from virnucpro_bus.publish.publisher import Publisher
from virnucpro_bus.run_folder import read_addresses
from virnucpro_bus.sources.playback import fold_capture


def started(lab: Lab) -> Started:
    hub = lab.start("hub", "bus")
    hub.until_it_shows("the bus is up")
    return hub


def publish(publisher: Publisher, count: int) -> None:
    for number in range(count):
        publisher.file_completed(f"{number}.fa", sequences=1, duration_seconds=0.1)


def test_a_hub_that_was_killed_continues_its_capture_and_no_event_is_missing(lab: Lab) -> None:
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
        after = read_addresses(capture.parent)
        assert (after.run, after.publish) == (before.run, before.publish)
        publish(publisher, 500)
        # A heartbeat may count files whose events are only sent again after it.
        wait_until(lambda: completed_and_lost() == (1_500, 0), "all events are on record")
        report = json.loads(lab.run("monitor", "bus", "--once", "--json").stdout)
    second.signal(signal.SIGINT)
    assert second.wait() == 0
    assert "the last hub here was killed: its capture is continued" in second.stdout
    assert (report["totals"]["files_completed"], report["totals"]["events_lost"]) == (1_500, 0)
    assert completed_and_lost() == (1_500, 0)
