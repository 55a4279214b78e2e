"""The bus of a run: its own workers have an address of their own, and other programs may not speak for the run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import zmq

from tests.support.buses import hub_in, peer, turn_until
from tests.support.captures import read_all
from virnucpro_bus import events as ev
from virnucpro_bus.clock import ManualClock
from virnucpro_bus.events.codec import encode
from virnucpro_bus.events.envelope import Sequencer
from virnucpro_bus.events.vocabulary import Device, Fact
from virnucpro_bus.hub.hub import Hub

RESERVED_KINDS = [
    ev.RunStarted("job", "off", (), 1),
    ev.FilesAssigned("cpu:0", ()),
    ev.DeviceJoined(Device("cpu:7")),
    ev.RunFinished(0, 1, 0),
    ev.WorkerLost("cpu:0", "worker-0", 1, "died"),
    ev.FileCommitted("cpu:0", "a.fa", 1, 0, 0),
    ev.FileReopened("a.fa", "cpu:0", True, 1, "changed"),
    ev.FileQuarantined("a.fa", 3, "no"),
    ev.QueueDepths({}),
    ev.CaptureHole(1, 1),
]
DONE = ev.FileCompleted("cpu:0", "a.fa", 1, 9, 1.0)
OTHERS_MAY_PUBLISH = [
    DONE,
    ev.WorkerStarted(Device("cuda:7"), 1),
    ev.Heartbeat("cuda:7", "idle", 0, 0, 0, 0, 0),
    ev.Notice("hello"),
    ev.GpuSampled(Device("GPU-a")),
]


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    """The bus of the run "run-1"."""
    with hub_in(tmp_path, workers(tmp_path)) as made:
        yield made


def workers(folder: Path) -> str:
    """The address of the run's workers."""
    return f"ipc://{folder}/workers"


def frames(*events: Fact, source: str = "pid-9", run: str = "run-1", epoch: int = 1) -> list[bytes]:
    sequencer = Sequencer(ManualClock(), source=source, run=run, epoch=epoch, host="node")
    return [encode(sequencer.next_envelope(event)) for event in events]


def publish(hub: Hub, sent: list[bytes], address: str | None = None) -> list[bytes]:
    """Have another program publish, at the public address by default; what the hub has recorded then."""
    before = hub.accepted + hub.refused.total()
    with peer(zmq.XPUB, address or hub.addresses.publish) as sender:
        turn_until(hub, lambda: sender.poll(0))
        for frame in sent:
            sender.send(frame)
        turn_until(hub, lambda: hub.accepted + hub.refused.total() == before + len(sent))
    return [record.frame for record in read_all(hub.capture.path)]


@pytest.mark.parametrize("source", ["coordinator", "capture", "worker-0", "worker-99"])
def test_the_names_of_the_runs_own_sources_are_refused(hub: Hub, source: str) -> None:
    assert publish(hub, frames(DONE, source=source)) == []
    assert hub.refused == {"reserved": 1}


@pytest.mark.parametrize("event", RESERVED_KINDS, ids=lambda event: type(event).__name__)
def test_what_only_the_coordinator_decides_is_refused_whatever_the_source_is_called(hub: Hub, event: Fact) -> None:
    assert publish(hub, frames(event)) == []
    assert hub.refused == {"reserved": 1}


def test_a_publisher_that_has_sent_such_an_event_is_refused_from_then_on(hub: Hub) -> None:
    sent = frames(DONE, RESERVED_KINDS[0], DONE)
    again = frames(DONE, epoch=2)
    assert publish(hub, [*sent, *again]) == [sent[0], again[0]]
    assert hub.refused == {"reserved": 2}


def test_events_of_another_run_are_refused_and_those_that_name_none_are_not(hub: Hub) -> None:
    unnamed = frames(DONE, run="")
    assert publish(hub, [*frames(DONE, run="run-0"), *unnamed]) == unnamed
    assert hub.refused == {"other-run": 1}


def test_programs_with_names_of_their_own_publish_as_ever(hub: Hub) -> None:
    sent = frames(*OTHERS_MAY_PUBLISH, source="pid-9")
    assert publish(hub, sent) == sent
    assert not hub.refused


def test_the_runs_workers_publish_at_their_own_address(hub: Hub, tmp_path: Path) -> None:
    sent = frames(DONE, source="worker-0")
    assert publish(hub, sent, workers(tmp_path)) == sent
    assert hub.events_from("worker-0", 1) == 1


def test_numbers_that_another_program_has_tried_to_take_are_still_the_workers(hub: Hub, tmp_path: Path) -> None:
    publish(hub, frames(*[DONE] * 5, source="worker-0"))
    sent = frames(DONE, DONE, source="worker-0")
    assert publish(hub, sent, workers(tmp_path)) == sent


def test_a_bus_without_a_launcher_refuses_nobody(tmp_path: Path) -> None:
    with hub_in(tmp_path) as hub:
        sent = [
            *frames(*RESERVED_KINDS),
            *frames(DONE, source="worker-0", run="any"),
            *frames(DONE, source="coordinator"),
        ]
        assert publish(hub, sent) == sent
        assert not hub.refused
