"""Snapshots in place of long history: taken over only where nothing is lost by it."""

from __future__ import annotations

from typing import Any, cast

import pytest

from tests.support.captures import some_frames
from virnucpro_bus.clock import ManualClock
from virnucpro_bus.fold.fleet import FleetState
from virnucpro_bus.history.protocol import Snapshot
from virnucpro_bus.history.recorded_clock import RecordedClock
from virnucpro_bus.snapshot.format import pack
from virnucpro_bus.sources.live import SNAPSHOT_FROM_BYTES, LiveSource, catch_up, skip_to_snapshot


class LaggingHub:
    """A source whose hub has folded so many of the frames; all others are history that is unread."""

    def __init__(self, frames: list[bytes], folded: int) -> None:
        self.frames = frames
        self.folded = folded
        self.offset = self.unread_bytes = self.snapshot_size_bytes = 0
        self.requests = 0
        self.behind = False
        self.recorded = RecordedClock(ManualClock())

    def snapshot(self) -> Snapshot:
        self.requests += 1
        self.snapshot_size_bytes = self.offset + self.unread_bytes
        fleet = FleetState(ManualClock())
        fleet.feed(self.frames[: self.folded])
        return Snapshot(SNAPSHOT_FROM_BYTES, pack(fleet.fold()))

    def seek(self, offset: int) -> None:
        self.offset, self.unread_bytes = offset, 0

    def receive(self, timeout_seconds: float) -> tuple[list[bytes], list[int]]:
        return [], []


def joined(hub: LaggingHub, live: list[bytes]) -> FleetState:
    """A viewer that has received some frames live, and has noticed that long history is unread."""
    fleet = FleetState(ManualClock())
    fleet.feed(live)
    hub.unread_bytes = 2 * SNAPSHOT_FROM_BYTES
    return fleet


def as_source(hub: LaggingHub) -> LiveSource:
    return cast("LiveSource", cast("Any", hub))


@pytest.mark.parametrize(("folded", "taken"), [(40, False), (89, False), (90, True), (100, True)])
def test_figures_never_go_back_to_those_of_a_hub_that_is_behind_what_it_has_sent(folded: int, taken: bool) -> None:
    frames = some_frames(100)
    hub = LaggingHub(frames, folded)
    fleet = joined(hub, frames[:20] + frames[70:90])
    skip_to_snapshot(as_source(hub), fleet)
    assert fleet.get_totals()["files_completed"] == (folded if taken else 40)
    assert (hub.offset > 0) == taken
    fleet.feed(frames)
    assert fleet.get_totals()["files_completed"] == 100


def test_a_hub_without_time_is_not_asked_again_before_there_is_much_more_to_read() -> None:
    frames = some_frames(100)
    hub = LaggingHub(frames, 0)
    fleet = joined(hub, frames[50:])
    for _ in range(5):
        skip_to_snapshot(as_source(hub), fleet)
    assert hub.requests == 1
    hub.unread_bytes += SNAPSHOT_FROM_BYTES
    skip_to_snapshot(as_source(hub), fleet)
    assert hub.requests == 2


def test_who_joins_has_nothing_to_lose() -> None:
    hub = LaggingHub(some_frames(100), 30)
    fleet = FleetState(ManualClock())
    catch_up(as_source(hub), fleet)
    assert fleet.get_totals()["files_completed"] == 30
