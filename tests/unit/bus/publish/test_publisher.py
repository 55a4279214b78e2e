"""Publishers on real sockets, with a plain SUB in the place of the hub."""

from __future__ import annotations

import contextlib
import os
import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.buses import Heard, goodbye, hear, listening, wait_until
from tests.support.captures import some_frames
from virnucpro_bus import events as ev
from virnucpro_bus.clock import SystemClock
from virnucpro_bus.errors import AddressError
from virnucpro_bus.events.codec import encode
from virnucpro_bus.events.envelope import Envelope
from virnucpro_bus.events.vocabulary import Device
from virnucpro_bus.publish import outbox
from virnucpro_bus.publish.publisher import Publisher

CPU = Device("cpu:0")


@pytest.fixture
def address(tmp_path: Path) -> str:
    return f"ipc://{tmp_path}/publish"


@pytest.fixture
def listener(address: str) -> Iterator[Heard]:
    with listening(address) as bound:
        yield bound


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Publishers without a hub do not wait the usual second."""
    monkeypatch.setattr(outbox, "FIRST_SUBSCRIBER_SECONDS", 0.01)


def quiet(address: str, **settings: Any) -> Publisher:
    """A publisher of cpu:0 without heartbeats."""
    return Publisher(address, **{"device": CPU, "heartbeat_seconds": None, **settings})


# On the wire.


def test_from_the_first_event_to_the_last_all_arrive_in_order(listener: Heard, address: str) -> None:
    with quiet(address, source="w", run="r", epoch=3, host="h") as bus:
        bus.file_started("/data/a.fa", attempt=2)
        bus.file_progress("/data/a.fa", 10, attempt=2)
        bus.file_completed("/data/a.fa", sequences=20, duration_seconds=1.5, attempt=2)
        bus.file_failed("b.fa", "not FASTA", duration_seconds=0.5)
        bus.work_stolen(source="cpu:1", file="c.fa", attempt=1, stolen_at_ns=99)
        bus.close("enough")
    heard = hear(listener, goodbye)
    assert [envelope.event for envelope in heard] == [
        ev.WorkerStarted(CPU, os.getpid()),
        ev.FileStarted("cpu:0", "a.fa", 2),
        ev.FileProgress("cpu:0", "a.fa", 2, 10),
        ev.FileCompleted("cpu:0", "a.fa", 2, 20, 1.5),
        ev.FileFailed("cpu:0", "b.fa", 0, "not FASTA", 0.5),
        ev.WorkStolen("cpu:0", "cpu:1", "c.fa", 1, 99),
        ev.Heartbeat("cpu:0", "idle", 1, 1, 20, 1, 0),
        ev.WorkerStopped("cpu:0", "enough"),
    ]
    assert [envelope.seq for envelope in heard] == list(range(1, 9))
    assert {(each.run, each.host, each.source, each.epoch) for each in heard} == {("r", "h", "w", 3)}


def test_twenty_thousand_events_leave_no_gap(listener: Heard, address: str) -> None:
    with quiet(address) as bus:
        for at in range(20_000):
            bus.file_progress("a.fa", at)
    assert [envelope.seq for envelope in hear(listener, goodbye)] == list(range(1, 20_004))


def test_threads_that_share_a_publisher_share_its_numbers(listener: Heard, address: str) -> None:
    with quiet(address) as bus:

        def work() -> None:
            for at in range(500):
                bus.file_progress("a.fa", at)

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert [envelope.seq for envelope in hear(listener, goodbye)] == list(range(1, 2_004))


def test_heartbeats_come_by_themselves_with_the_totals(listener: Heard, address: str) -> None:
    with quiet(address, heartbeat_seconds=0.02) as bus:
        bus.file_completed("a.fa", sequences=5, duration_seconds=1.0)
        bus.file_started("b.fa")
        beat = ev.Heartbeat("cpu:0", "busy", 1, 0, 5, 0, 0)
        hear(listener, lambda envelope: envelope.event == beat)
        bus.file_failed("b.fa", "bad")
        hear(listener, lambda envelope: envelope.event == ev.Heartbeat("cpu:0", "idle", 1, 1, 5, 0, 0))
    assert goodbye(hear(listener, goodbye)[-1])


def test_a_worker_that_loads_is_starting_until_it_is_ready(listener: Heard, address: str) -> None:
    with quiet(address, heartbeat_seconds=0.02, loading=True) as bus:
        hear(listener, lambda envelope: envelope.event == ev.Heartbeat("cpu:0", "starting", 0, 0, 0, 0, 0))
        bus.ready()
        hear(listener, lambda envelope: envelope.event == ev.Heartbeat("cpu:0", "idle", 0, 0, 0, 0, 0))
    assert goodbye(hear(listener, goodbye)[-1])


def test_a_source_without_a_device_publishes_no_worker_events(listener: Heard, address: str) -> None:
    with quiet(address, device=None) as bus:
        bus.publish(ev.QueueDepths({"cpu:0": 1}))
    (depths, _) = hear(listener, lambda envelope: isinstance(envelope.event, ev.Heartbeat))
    assert depths.event == ev.QueueDepths({"cpu:0": 1})


def test_a_prepared_event_keeps_its_number_however_late_it_is_sent(listener: Heard, address: str) -> None:
    with quiet(address) as bus:
        done = bus.completion("a.fa", sequences=3, duration_seconds=1.0, attempt=1)
        frame = bus.prepare(done)
        bus.file_started("b.fa")
        bus.send_prepared(frame, done)
    heard = hear(listener, goodbye)
    assert [envelope.seq for envelope in heard] == [1, 3, 2, 4, 5]
    assert heard[3].event.files_completed == 1


# Without a hub.


@pytest.mark.usefixtures("impatient")
def test_events_are_spooled_for_a_listener_that_comes_later(address: str) -> None:
    bus = quiet(address, heartbeat_seconds=0.02)
    for at in range(1_000):
        bus.file_progress("a.fa", at)
    with listening(address) as listener:
        heard = hear(listener, lambda envelope: envelope.seq == 1_001)
        bus.close()
        heard += hear(listener, goodbye)
    assert [envelope.seq for envelope in heard] == list(range(1, len(heard) + 1))


@pytest.mark.usefixtures("impatient")
def test_the_spool_is_sent_part_by_part_and_in_order(address: str) -> None:
    """So a thread that publishes meanwhile waits for one part at most."""
    frames, part = some_frames(5 * outbox.SPOOL_FRAMES_AT_ONCE // 2), outbox.SPOOL_FRAMES_AT_ONCE
    box = outbox.Outbox(address, SystemClock())
    for frame in frames[:-1]:
        box.send(frame)
    with listening(address) as listener:
        wait_until(box.flush_spool)
        assert box.pending == len(frames) - 1 - part
        box.send(frames[-1])
        assert [box.flush_spool(), box.flush_spool(), box.pending] == [True, False, 0]
        heard = hear(listener, lambda envelope: envelope.seq == len(frames))
        box.close()
    assert [encode(envelope) for envelope in heard] == frames


@pytest.mark.usefixtures("impatient")
def test_what_a_full_spool_drops_is_counted_in_the_heartbeats(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setattr(outbox, "SPOOL_FRAMES", 10)
    bus = quiet(address, heartbeat_seconds=0.02)
    for at in range(29):
        bus.file_progress("a.fa", at)
    with listening(address) as listener:
        heard = hear(listener, lambda envelope: envelope.seq == 10)
        bus.close()
        heard += hear(listener, goodbye)
    assert [envelope.seq for envelope in heard[:10]] == list(range(1, 11))
    lost = heard[-1].seq - len(heard)
    assert heard[-2].event.events_dropped == lost >= 20


@pytest.mark.usefixtures("impatient")
def test_without_any_hub_closing_does_not_wait_and_leaves_no_thread(address: str) -> None:
    bus = quiet(address, heartbeat_seconds=1.0)
    for at in range(10_000):
        bus.file_progress("a.fa", at)
    before = SystemClock().mono_ns()
    bus.close()
    # Far below the linger, which is the wait that would be wrong here.
    assert SystemClock().mono_ns() - before < outbox.LINGER_SECONDS * 1e9 * 0.9
    assert [thread.name for thread in threading.enumerate() if thread.name == "bus-heartbeat"] == []


@pytest.mark.usefixtures("impatient")
def test_a_hub_that_was_never_there_is_reported_at_the_end(
    address: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "SPOOL_FRAMES", 50)
    bus = quiet(address)
    for at in range(100):
        bus.file_progress("a.fa", at)
    bus.close()
    bus.close()
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(
        f"virnucpro-bus: {address}: no hub has answered, and 103 events were never sent; check "
    )


def test_a_hub_that_ends_first_is_no_trouble(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    with listening(address) as listener:
        bus = quiet(address)
        hear(listener, lambda envelope: envelope.seq == 1)
    bus.close()
    assert capsys.readouterr().err == ""


def test_a_start_that_cannot_be_sent_leaves_the_worker_idle(listener: Heard, address: str) -> None:
    with quiet(address) as bus:
        bus.file_started("a.fa", attempt=-1)
    assert hear(listener, goodbye)[1].event == ev.Heartbeat("cpu:0", "idle", 0, 0, 0, 0, 1)


def test_closing_twice_publishes_the_last_events_once(listener: Heard, address: str) -> None:
    bus = quiet(address)
    bus.close()
    bus.close()
    assert len(hear(listener, goodbye)) == 3
    assert listener.empty()


@pytest.mark.parametrize("wrong", ["nonsense", "ipc://", "tcp://host", "carrier-pigeon://a", "ipc:///\udcff"])
def test_an_unusable_address_is_refused(wrong: str) -> None:
    with pytest.raises(AddressError, match="is not an address to publish to"):
        quiet(wrong)


# Across fork().


def in_a_forked_child(work: Callable[[], object]) -> None:
    """Do `work` in a child; fail unless it ends well."""
    child = os.fork()
    if child == 0:
        status = 18
        with contextlib.suppress(BaseException):
            work()
            status = 17
        os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 17


def start_and_close(bus: Publisher) -> None:
    bus.file_started("b.fa")
    bus.close()


def by_source(listener: Heard, streams: int) -> dict[str, list[Envelope]]:
    """The events of so many streams, once all have ended."""
    heard: dict[str, list[Envelope]] = {}
    while sum(goodbye(each[-1]) for each in heard.values()) < streams:
        envelope = listener.get(timeout=5)
        heard.setdefault(envelope.source, []).append(envelope)
    return heard


forking = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")


@forking
def test_a_forked_child_has_a_stream_of_its_own_and_leaves_that_of_its_parent_alone(
    listener: Heard, address: str
) -> None:
    with quiet(address, run="r", heartbeat_seconds=60) as bus:
        bus.file_completed("a.fa", sequences=1, duration_seconds=1.0)

        def work() -> None:
            bus.file_started("b.fa")
            bus.file_completed("b.fa", sequences=2, duration_seconds=1.0)
            bus.close()

        in_a_forked_child(work)
        bus.file_started("c.fa")
    heard = by_source(listener, 2)
    parent = heard.pop(f"pid-{os.getpid()}")
    ((source, child),) = heard.items()
    assert [each.seq for each in parent] == list(range(1, 6))
    assert parent[-2].event.files_completed == 1
    assert [each.event for each in child] == [
        ev.WorkerStarted(CPU, int(source.removeprefix("pid-"))),
        ev.FileStarted("cpu:0", "b.fa"),
        ev.FileCompleted("cpu:0", "b.fa", 0, 2, 1.0),
        ev.Heartbeat("cpu:0", "idle", 1, 0, 2, 0, 0),
        ev.WorkerStopped("cpu:0", "finished"),
    ]
    assert {each.run for each in child} == {"r"}


@forking
def test_a_forked_child_that_publishes_nothing_or_only_after_its_end_is_not_seen(
    listener: Heard, address: str
) -> None:
    def close_and_start() -> None:
        bus.close()
        bus.file_started("a.fa")

    with quiet(address) as bus:
        in_a_forked_child(bus.close)
        in_a_forked_child(close_and_start)
    assert len(by_source(listener, 1)) == 1
    assert listener.empty()


@forking
def test_a_child_forked_while_the_lock_is_held_publishes(listener: Heard, address: str) -> None:
    with quiet(address) as bus, bus._lock:
        # The lock of this thread, which the child does not have.
        holder = threading.Thread(target=in_a_forked_child, args=(lambda: start_and_close(bus),))
        holder.start()
        holder.join()
    assert len(by_source(listener, 2)) == 2


@forking
def test_a_source_with_a_name_stays_one_process_and_its_children_count_what_they_cannot_send(
    listener: Heard, address: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with quiet(address, source="worker-0") as bus:
        in_a_forked_child(lambda: start_and_close(bus))
    assert len(by_source(listener, 1)) == 1
    (line,) = capfd.readouterr().err.splitlines()
    assert line == (
        "virnucpro-bus: worker-0: this publisher was made before fork(), and has no connection here; "
        "4 events were never sent"
    )


# Signal handlers, and the end.


def test_a_signal_handler_publishes_while_its_thread_does(listener: Heard, address: str) -> None:
    with quiet(address) as bus, bus._lock:
        bus.file_failed("a.fa", "interrupted")
    assert len(hear(listener, goodbye)) == 4


def test_a_signal_handler_closes_while_its_thread_publishes(listener: Heard, address: str) -> None:
    bus = quiet(address, heartbeat_seconds=0.01)
    with bus._lock:
        hear(listener, lambda envelope: envelope.seq == 1)
        bus.close()
    hear(listener, goodbye)
    wait_until(lambda: not [each for each in threading.enumerate() if each.name == "bus-heartbeat"])
    assert listener.empty()


def test_what_a_closed_publisher_is_passed_is_reported_once(
    listener: Heard, address: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with quiet(address) as bus:
        pass
    for _ in range(3):
        bus.file_started("a.fa")
    bus.plan(["a.fa"])
    assert not bus.connected
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("virnucpro-bus: file_started: this publisher is closed; the event is dropped")
    assert len(hear(listener, goodbye)) == 3


def test_the_exception_that_ends_a_with_block_is_why_the_worker_stopped(listener: Heard, address: str) -> None:
    with pytest.raises(KeyError), quiet(address):
        raise KeyError("x")
    assert hear(listener, goodbye)[-1].event == ev.WorkerStopped("cpu:0", "KeyError: 'x'")


def test_events_that_a_hub_did_not_wait_for_are_reported_at_the_end(
    address: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with listening(address) as listener:
        bus = quiet(address, heartbeat_seconds=0.02)
        assert bus.connected
        hear(listener, lambda envelope: envelope.seq == 1)
    wait_until(lambda: not bus.connected)
    bus.file_started("a.fa")
    bus.close()
    (line,) = capsys.readouterr().err.splitlines()
    assert re.fullmatch(rf"virnucpro-bus: {address}: \d+ events were never sent; the hub was gone, .*", line)


def test_a_hub_that_takes_the_place_of_another_gets_the_last_events_again(address: str) -> None:
    def started(envelope: Envelope) -> bool:
        return isinstance(envelope.event, ev.FileStarted)

    with contextlib.ExitStack() as stack:
        with listening(address) as first:
            publisher = stack.enter_context(Publisher(address, device=CPU, heartbeat_seconds=0.02))
            publisher.file_started("a.fa")
            before = hear(first, started)
        with listening(address) as second:
            again = hear(second, started)
            assert [envelope for envelope in again if envelope in before] == before
            publisher.close()


def test_an_outbox_that_is_closed_while_its_hub_is_away_waits_for_the_next_one(address: str) -> None:
    sent = some_frames(3)
    with listening(address) as first:
        box = outbox.Outbox(address, SystemClock())
        for frame in sent:
            box.send(frame)
        before = [first.get(timeout=5) for _ in sent]

    def is_cut_off() -> bool:
        box.flush_spool()
        return box.is_cut_off

    wait_until(is_cut_off)
    closing = threading.Thread(target=box.close)
    closing.start()
    with listening(address) as second:
        assert [second.get(timeout=5) for _ in sent] == before
    closing.join()
