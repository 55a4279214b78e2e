"""Which workers are at work, and what is published of one that is lost."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("distributed", reason="Dask is not installed: pip install 'virnucpro-bus[dask]'")

from virnucpro_bus import events as ev
from virnucpro_bus.clock import ManualClock
from virnucpro_bus.dask.roster import Roster, removed_worker, source_of
from virnucpro_bus.events.codec import decode
from virnucpro_bus.events.envelope import Sequencer

ADDRESS = "tcp://10.0.0.1:4000"


class Worker:
    """A slot of a worker whose events a roster notes."""

    def __init__(self, roster: Roster, *, slot: int = 0, address: str = ADDRESS, host: str = "node1") -> None:
        self.clock = ManualClock()
        self.device = f"cpu:{slot}"
        self.source = source_of(address, slot)
        self._roster = roster
        self._sequencer = Sequencer(self.clock, source=self.source, run="run-1", epoch=7, host=host)
        self.publish(ev.WorkerStarted(ev.Device(self.device), 1))

    def publish(self, event: ev.Fact) -> None:
        self._roster.note(self._sequencer.next_envelope(event))


@pytest.fixture
def roster() -> Roster:
    return Roster("run-1", ManualClock())


def test_of_a_worker_that_was_removed_each_slot_is_lost_with_its_file(roster: Roster) -> None:
    first, second = Worker(roster), Worker(roster, slot=1)
    other = Worker(roster, address="tcp://10.0.0.2:4000", host="node2")
    first.publish(ev.FileStarted("cpu:0", "a"))
    second.publish(ev.FileStarted("cpu:1", "b"))
    second.publish(ev.FileCompleted("cpu:1", "b", 0, 0, 1.0))
    lost: list[Any] = [decode(frame).event for frame in roster.remove(ADDRESS)]
    assert [(event.device, event.source, event.epoch, event.file) for event in lost] == [
        ("cpu:0", first.source, 7, "a"),
        ("cpu:1", second.source, 7, None),
    ]
    assert len(roster) == 1
    assert roster.remove(ADDRESS) == []
    other.publish(ev.WorkerStopped("cpu:0", "finished"))
    assert len(roster) == 0


def test_nothing_is_lost_with_a_worker_that_has_published_its_end(roster: Roster) -> None:
    worker = Worker(roster)
    worker.publish(ev.WorkerStopped(worker.device, "finished"))
    assert roster.remove(ADDRESS) == []


def test_a_loss_is_published_for_the_workers_host_at_the_time_of_the_last_event_from_there(roster: Roster) -> None:
    worker, beside = Worker(roster), Worker(roster, address="tcp://10.0.0.1:4001")
    beside.clock.advance(60)
    beside.publish(ev.Heartbeat("cpu:0", "idle", 0, 0, 0, 0, 0))
    worker.clock.advance(5)
    worker.publish(ev.FileStarted("cpu:0", "a"))
    (frame,) = roster.remove(ADDRESS)
    lost = decode(frame)
    assert (lost.host, lost.mono_ns, lost.wall_ns) == ("node1", beside.clock.mono, beside.clock.wall)
    (frame,) = roster.remove("tcp://10.0.0.1:4001")
    assert decode(frame).seq == 2


@pytest.mark.parametrize(
    ("message", "address"),
    [
        ({"action": "remove-worker", "worker": ADDRESS, "expected": False, "processing-tasks": {}}, ADDRESS),
        ({"action": "add-worker", "worker": ADDRESS}, None),
        ({"action": "remove-worker"}, None),
        ({"action": "remove-worker", "worker": None}, None),
        ("remove-worker", None),
        (None, None),
    ],
)
def test_only_the_schedulers_message_about_a_removed_worker_names_one(
    message: object, address: str | None
) -> None:
    assert removed_worker(message) == address
