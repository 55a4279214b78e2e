"""The clock of a live capture: a viewer that joins late sees what those see that were there."""

from __future__ import annotations

import pytest

from tests.support.fleets import GPU
from virnucpro_bus import events as ev
from virnucpro_bus.capture.records import HEADER, MAGIC, VERSION, RecordScanner, pack_record
from virnucpro_bus.clock import NANOSECONDS, ManualClock
from virnucpro_bus.events.codec import encode
from virnucpro_bus.fold.fleet import FleetState
from virnucpro_bus.history.recorded_clock import RecordedClock
from virnucpro_bus.history.server import IncrementalFold
from virnucpro_bus.snapshot.format import unpack
from virnucpro_bus.testing import Script

HUB_NS = 1_600_000_000 * NANOSECONDS
"""The hub's time when the runs begin."""


def test_it_goes_by_the_least_delay_that_was_observed() -> None:
    clock = ManualClock()
    recorded = RecordedClock(clock)
    for delay_seconds, ahead_seconds in ((3, 0), (1, 10), (2, 20)):
        recorded.observe(HUB_NS + (ahead_seconds - delay_seconds) * NANOSECONDS)
        clock.advance(10)
    assert recorded.mono_ns() == HUB_NS + 29 * NANOSECONDS
    assert recorded.wall_ns() == clock.wall_ns()


@pytest.mark.parametrize("off_seconds", [-3600, 3600])
def test_an_estimate_counts_until_something_is_observed(off_seconds: int) -> None:
    recorded = RecordedClock(ManualClock())
    recorded.estimate(HUB_NS + off_seconds * NANOSECONDS)
    assert recorded.mono_ns() == HUB_NS + off_seconds * NANOSECONDS
    recorded.observe(HUB_NS)
    recorded.estimate(HUB_NS + off_seconds * NANOSECONDS)
    assert recorded.mono_ns() == HUB_NS


class Watched:
    """The capture of a bus with three hosts whose clocks are off; the first dies, the second goes quiet."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.data = HEADER.pack(MAGIC, VERSION, 0)
        self.frames: list[bytes] = []
        scripts = {name: Script(host=name) for name in ("dies", "quiet", "lives")}
        for hours, script in enumerate(scripts.values()):
            script.clock.mono += hours * 3600 * NANOSECONDS
            script.clock.wall += hours * 3600 * NANOSECONDS
        self.early = FleetState(self.clock)
        for second in range(40):
            for name, script in scripts.items():
                script.clock.advance(1)
                if second < {"dies": 10, "quiet": 20, "lives": 40}[name]:
                    self.add(script, ev.FileCompleted(GPU.key, f"{second}.fa", 1, 100, 1.0))
                    self.add(script, ev.Heartbeat(GPU.key, "idle", second + 1, 0, 100 * second + 100, 0, 0))
            self.clock.advance(1)

    def add(self, script: Script, event: ev.Fact) -> None:
        """An event is published, received and recorded."""
        frame = encode(script.say("w", event))
        self.frames.append(frame)
        self.data += pack_record(frame, self.now_ns())
        self.early.feed([frame], self.clock.mono_ns())

    def now_ns(self) -> int:
        """The time by the clock of the record."""
        return HUB_NS + self.clock.mono_ns()

    def late(self, covered: float, *, knows_the_time: bool = True) -> FleetState:
        """What a viewer knows that takes over a snapshot of so much, and reads on from there."""
        read = int(covered * len(self.data))
        fold = IncrementalFold(lambda offset, limit: self.data[offset : min(read, offset + limit)], self.clock)
        while fold.advance(100_000):
            pass
        offset, snapshot = fold.snapshot()
        fleet, recorded = FleetState(self.clock), RecordedClock(self.clock)
        fleet.receipt_clock = recorded
        if knows_the_time:
            recorded.observe(self.now_ns())
        fleet.load(unpack(snapshot))
        records = RecordScanner().feed(self.data[offset:])
        fleet.feed([record.frame for record in records], [record.received_ns for record in records])
        return fleet


@pytest.mark.parametrize("covered", [0.0, 0.3, 0.6, 1.0])
def test_who_joins_late_sees_who_has_died_and_what_time_it_is_there(covered: float) -> None:
    watched = Watched()
    report = watched.early.report()
    assert [row["state"] for row in report["devices"]] == ["silent", "idle", "silent"]
    assert watched.late(covered).report() == report
    assert watched.late(covered).stream_warnings() == watched.early.stream_warnings()


def test_all_that_have_died_are_silent_to_who_joins_later_still() -> None:
    watched = Watched()
    watched.clock.advance(3600)
    assert watched.late(1.0).report() == watched.early.report()


def test_of_a_hub_that_does_not_know_the_time_each_host_is_seen_as_of_its_last_event() -> None:
    fleet = Watched().late(0.5, knows_the_time=False)
    assert {row["state"] for row in fleet.get_gpu_metrics()} == {"idle"}
