"""Frames from somebody who means harm: hub and fleet refuse them, count them by reason, and stay as they were."""

from __future__ import annotations

import gc
import json
import os
import random
from collections.abc import Iterator
from pathlib import Path

import msgpack
import pytest
import zmq

from tests.support.buses import hub_in, peer, turn_until
from tests.support.captures import read_all, some_frames
from tests.support.hostile import golden_frames, hostile_frame
from virnucpro_bus.clock import SystemClock
from virnucpro_bus.events.codec import MAX_FRAME_BYTES, decode
from virnucpro_bus.events.envelope import HUB_SOURCE
from virnucpro_bus.fold.fleet import FleetState
from virnucpro_bus.hub.hub import Hub

REASONS = {"not-messagepack", "not-an-event", "bad-header", "bad-fields"}
RSS_GROWTH_BYTES = 16 * 2**20
FRAMES = 100_000
BATCH = 2_000
WARM_UP = 20_000


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    with hub_in(tmp_path) as made:
        yield made


def resident_bytes() -> int:
    """Memory of this process that is in use."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


# Many.


class Victim:
    """A hub, a fleet behind it, and somebody who sends to both whatever he likes."""

    def __init__(self, hub: Hub, sender: zmq.Socket[bytes]) -> None:
        self.hub = hub
        self.fleet = FleetState(SystemClock())
        self._sender = sender
        self._kinds = golden_frames()
        self._dice = random.Random(20_26)

    def suffer(self, count: int) -> None:
        """So many hostile frames, to the hub over its socket and to the fleet past the hub."""
        for _ in range(count // BATCH):
            frames = [hostile_frame(self._kinds, self._dice) for _ in range(BATCH)]
            for frame in frames:
                self._sender.send(frame)
            taken = 0
            while taken < BATCH:
                assert self.hub.sockets()[0].poll(5_000)
                taken += self.hub.poll()
            self.fleet.feed(frames, SystemClock().mono_ns())


def test_many_hostile_frames_are_counted_by_reason_and_cost_no_memory(hub: Hub) -> None:
    with peer(zmq.XPUB, hub.addresses.publish) as sender:
        turn_until(hub, lambda: sender.poll(0))
        victim = Victim(hub, sender)
        victim.suffer(WARM_UP)
        before = resident_bytes()
        victim.suffer(FRAMES)
        grown = resident_bytes() - before
    assert grown <= RSS_GROWTH_BYTES
    assert hub.refused.keys() == REASONS
    assert hub.refused == victim.fleet.refused
    assert hub.refused.total() > FRAMES * 0.9
    assert json.dumps(victim.fleet.report(), allow_nan=False)
    # What did get through is the same for both, and nothing else is on record but the hub's own notices.
    totals = victim.fleet.get_totals()
    own = [decode(record.frame).source for record in read_all(hub.capture.path)].count(HUB_SOURCE)
    assert totals["events_received"] == hub.accepted - own == len(read_all(hub.capture.path)) - own
    assert totals["events_received"] + totals["events_lost"] == totals["events_published"]


# Each by itself, among good ones.


def packed(kind: str, *fields: object, version: int = 1, seq: int = 1) -> bytes:
    frame: bytes = msgpack.packb([kind, version, "r", "h", "stranger", 1, seq, 1, 1, list(fields)])
    return frame


def completed(duration_seconds: object) -> bytes:
    return packed("file.completed/", "cpu:0", "a.fa", 1, 5, duration_seconds)


def nested(kind: str, depth: int) -> bytes:
    """An event whose only field is a list in a list in a list …"""
    return packed(kind).removesuffix(b"\x90") + b"\x91" * depth + b"\x90"


KEPT_OUT = {
    "larger than a frame may be": ("oversized", packed("new.kind/", *["x" * 4_000] * 17)),
    "nested deeper than can be read": ("not-messagepack", nested("new.kind/", 50_000)),
    "nested where a text belongs": ("bad-fields", nested("file.completed/", 50_000)),
    "duration NaN": ("bad-fields", completed(float("nan"))),
    "duration infinite": ("bad-fields", completed(float("inf"))),
    "duration negative": ("bad-fields", completed(-1.0)),
    "duration a text": ("bad-fields", completed("1.0")),
    "a count that is true": ("bad-fields", packed("queue.depths/", {"cpu:0": True})),
    "a key twice, once with a bad count": (
        "bad-fields",
        packed("queue.depths/").removesuffix(b"\x90") + b"\x91\x82\xa1a\x01\xa1a\xff",
    ),
    "a number of no stream": ("bad-header", packed("new.kind/", seq=0)),
}


@pytest.mark.parametrize(("reason", "frame"), KEPT_OUT.values(), ids=KEPT_OUT)
def test_what_is_no_event_is_kept_out(hub: Hub, reason: str, frame: bytes) -> None:
    good = some_frames(2)
    hub.ingest([good[0], frame, good[1]])
    hub.poll()
    assert (hub.refused, hub.accepted) == ({reason: 1}, 2)
    assert [record.frame for record in read_all(hub.capture.path)] == good


LET_THROUGH = {
    "of a kind nobody knows": packed("new.kind/", "x", [1, 2]),
    "of a future version": packed("file.completed/", "a", "future", "form", version=2),
    "a key twice, the last one counts": (
        packed("queue.depths/").removesuffix(b"\x90") + b"\x91\x82\xa1a\x01\xa1a\x02"
    ),
    "with a field of a newer program": packed("run.finished/", 0, 1, 2, "new field"),
}


@pytest.mark.parametrize("frame", LET_THROUGH.values(), ids=LET_THROUGH)
def test_what_a_newer_program_may_say_is_recorded_as_it_is(hub: Hub, frame: bytes) -> None:
    hub.ingest([frame])
    hub.poll()
    assert (hub.refused.total(), hub.accepted) == (0, 1)
    assert [record.frame for record in read_all(hub.capture.path)] == [frame]
    fleet = FleetState(SystemClock())
    fleet.feed([frame])
    assert fleet.get_totals()["events_received"] == 1


def test_a_frame_too_large_for_the_wire_costs_its_sender_the_connection_and_nobody_else(hub: Hub) -> None:
    with peer(zmq.XPUB, hub.addresses.publish) as bad, peer(zmq.XPUB, hub.addresses.publish) as good:
        turn_until(hub, lambda: bad.poll(0) and good.poll(0))
        bad.send(b"x" * (MAX_FRAME_BYTES + 1))
        for frame in some_frames(3):
            good.send(frame)
        turn_until(hub, lambda: hub.accepted == 3)
    assert hub.refused.total() == 0
