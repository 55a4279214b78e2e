"""A subscriber against real hubs: it joins at any time and misses nothing."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest
import zmq

from tests.support.buses import addresses_in, hub_in, peer, served_hub, turn_until, wait_until
from tests.support.captures import some_frames
from virnucpro_bus.capture.reader import CaptureReader
from virnucpro_bus.clock import SystemClock
from virnucpro_bus.errors import AddressError, EndedError
from virnucpro_bus.fold.fleet import FleetState
from virnucpro_bus.history import client as client_module
from virnucpro_bus.history.protocol import HelloReply
from virnucpro_bus.hub.hub import Hub
from virnucpro_bus.sources import subscriber as subscriber_module
from virnucpro_bus.sources.live import join
from virnucpro_bus.sources.subscriber import Subscriber


@contextmanager
def listening_to(address: str) -> Iterator[Subscriber]:
    subscriber = Subscriber(address, SystemClock())
    try:
        yield subscriber
    finally:
        subscriber.close()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (client_module, subscriber_module):
        monkeypatch.setattr(module, "ANSWER_SECONDS", 0.1)


def received(subscriber: Subscriber, count: int) -> list[bytes]:
    """Frames as they come, until so many different ones are there."""
    frames: list[bytes] = []

    def enough() -> bool:
        frames.extend(subscriber.receive(0.01)[0])
        return len(set(frames)) >= count

    wait_until(enough)
    return frames


def test_a_late_joiner_gets_everything_exactly_once_after_the_fold(tmp_path: Path) -> None:
    frames = some_frames(9_000)
    with served_hub(tmp_path) as hub, peer(zmq.XPUB, hub.addresses.publish) as sender:
        assert sender.poll(5_000)
        sending = threading.Thread(target=lambda: [sender.send(frame) for frame in frames])
        sending.start()
        wait_until(lambda: hub.accepted > 2_000)
        with listening_to(hub.addresses.history) as subscriber:
            got = received(subscriber, len(frames))
        sending.join()
    fleet = FleetState(SystemClock())
    fleet.feed(got)
    totals = fleet.get_totals()
    assert set(got) == set(frames)
    assert (totals["files_completed"], totals["events_received"], totals["events_lost"]) == (9_000, 9_000, 0)


def test_history_comes_first_with_the_times_of_the_record(tmp_path: Path) -> None:
    frames = some_frames(100)
    with served_hub(tmp_path) as hub, peer(zmq.XPUB, hub.addresses.publish) as sender:
        assert sender.poll(5_000)
        for frame in frames:
            sender.send(frame)
        wait_until(lambda: hub.accepted == 100)
        with listening_to(hub.addresses.history) as subscriber:
            assert subscriber.behind
            got, times = subscriber.receive(0.0)
            assert got == frames
            assert times == [record.received_ns for record in CaptureReader(hub.capture.path)]
            assert not subscriber.behind


def test_live_frames_have_the_time_of_their_arrival_by_the_clock_of_the_record(tmp_path: Path) -> None:
    (frame,) = some_frames(1)
    with (
        served_hub(tmp_path) as hub,
        peer(zmq.XPUB, hub.addresses.publish) as sender,
        listening_to(hub.addresses.history) as subscriber,
    ):
        assert history(subscriber) == []
        subscriber.receive(1.0)  # the welcome, after which the history is read on
        assert history(subscriber) == []
        assert sender.poll(5_000)
        before_ns = subscriber.recorded.mono_ns()
        sender.send(frame)
        got: list[bytes] = []
        while not got:
            got, arrived_ns = subscriber.receive(0.1)
        assert isinstance(arrived_ns, int)
        assert before_ns <= arrived_ns <= subscriber.recorded.mono_ns() <= hub.capture.now_ns


def history(subscriber: Subscriber) -> list[bytes]:
    """The frames of all the history that is left to read."""
    frames: list[bytes] = []
    while subscriber.behind:
        frames += subscriber.receive(0.0)[0]
    return frames


def test_it_reads_on_in_the_history_after_resume_history(tmp_path: Path) -> None:
    frames = some_frames(30)
    with (
        served_hub(tmp_path) as hub,
        peer(zmq.XPUB, hub.addresses.publish) as sender,
        listening_to(hub.addresses.history) as subscriber,
    ):
        assert sender.poll(5_000)
        assert history(subscriber) == []
        for frame in frames:
            sender.send(frame)
        wait_until(lambda: hub.accepted == len(frames))
        subscriber.resume_history()
        assert history(subscriber) == frames
        subscriber.resume_history()
        assert history(subscriber) == []


def test_the_hub_count_is_known_although_none_of_its_events_has_arrived(tmp_path: Path) -> None:
    """The lost end of a stream shows in no sequence number."""
    with served_hub(tmp_path) as hub, listening_to(hub.addresses.history) as subscriber:
        with peer(zmq.XPUB, hub.addresses.publish) as sender:
            assert sender.poll(5_000)
            for frame in some_frames(7):
                sender.send(frame)
            wait_until(lambda: hub.accepted == 7)
        assert subscriber.events_on_record == 0

        def looked() -> bool:
            subscriber.poll_hub_count()
            return subscriber.events_on_record == 7

        wait_until(looked)


def test_count_requests_to_a_hub_that_is_stopped_do_not_pile_up(tmp_path: Path) -> None:
    with hub_in(tmp_path) as hub:
        joining = threading.Thread(target=lambda: subscribers.append(Subscriber(address, SystemClock())))
        subscribers: list[Subscriber] = []
        address = hub.addresses.history
        joining.start()
        turn_until(hub, lambda: subscribers)
        joining.join()
        for _ in range(20):
            subscribers[0].poll_hub_count()
        wait_until(lambda: hub.sockets()[2].poll(0))
        (question,) = questions_waiting(hub)
        assert question[-1] == b"hello"
        subscribers[0].close()


def questions_waiting(hub: Hub) -> list[list[bytes]]:
    """What has been asked and not answered, taken away from the hub."""
    history, questions = hub.sockets()[2], []
    while history.poll(50):
        questions.append(history.recv_multipart())
    return questions


def test_proof_of_life_in_the_middle_of_the_history_loses_nothing(tmp_path: Path) -> None:
    frames = some_frames(40_000)
    with (
        served_hub(tmp_path) as hub,
        peer(zmq.XPUB, hub.addresses.publish) as sender,
    ):
        assert sender.poll(5_000)
        for frame in frames:
            sender.send(frame)
        wait_until(lambda: hub.accepted == len(frames))
        with listening_to(hub.addresses.history) as subscriber:
            first, _ = subscriber.receive(0.0)
            assert subscriber.behind
            subscriber.poll_hub_count()
            subscriber.prove_alive()
            assert first + history(subscriber) == frames


def test_a_live_bus_has_no_end_of_its_own(tmp_path: Path) -> None:
    with served_hub(tmp_path) as hub, listening_to(hub.addresses.history) as subscriber:
        subscriber.prove_alive()
        assert not subscriber.ended
        hello = HelloReply("run-1", "node", hub.addresses.subscribe, 0, subscriber.hello.now_ns)
        assert subscriber.hello == hello


@pytest.mark.usefixtures("impatient")
def test_a_hub_that_has_gone_is_noticed_when_it_has_to_prove_itself(tmp_path: Path) -> None:
    with served_hub(tmp_path) as hub:
        subscriber = Subscriber(hub.addresses.history, SystemClock())
    try:
        with pytest.raises(AddressError, match="no hub answers there"):
            subscriber.prove_alive()
    finally:
        subscriber.close()


@pytest.mark.usefixtures("impatient")
def test_where_no_hub_answers_there_is_an_error_with_the_address(tmp_path: Path) -> None:
    address = addresses_in(tmp_path).history
    with pytest.raises(
        AddressError, match=f"^{address}: no hub answers there; check that the run is still in progress"
    ):
        Subscriber(address, SystemClock())


@pytest.mark.parametrize("address", ["nonsense://x", "ipc://", "tcp://no-port", "ipc:///\udcff"])
def test_an_invalid_address_is_an_error(address: str) -> None:
    with pytest.raises(AddressError, match="is not a valid address: "):
        Subscriber(address, SystemClock())


@contextmanager
def impostor(address: str, answer: Callable[[bytes], list[bytes]]) -> Iterator[None]:
    """Somebody else's program at a history address."""
    stopped = threading.Event()
    with peer(zmq.ROUTER, address, bind=True) as router:

        def serve() -> None:
            while not stopped.is_set():
                if router.poll(10):
                    client, request_id, *_ = router.recv_multipart()
                    router.send_multipart([client, *answer(request_id)])

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield
        finally:
            stopped.set()
            thread.join()


Answer = Callable[[bytes], list[bytes]]
IMPOSTORS: dict[str, tuple[Answer, str]] = {
    "nothing": (lambda asked: [asked], "is not a hub "),
    "no MessagePack": (lambda asked: [asked, b"\xc1"], "is not a hub "),
    "another object": (lambda asked: [asked, msgspec.msgpack.encode({"a": 1})], "is not a hub "),
    "a name that is too long": (
        lambda asked: [asked, msgspec.msgpack.encode(("r" * 257, "h", "ipc:///x"))],
        "is not a hub ",
    ),
    "a bad address": (
        lambda asked: [asked, msgspec.msgpack.encode(HelloReply("r", "h", "x"))],
        "is not a valid address",
    ),
    "another's answer": (lambda asked: [b"not " + asked, b""], "no hub answers"),
}


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(("answer", "said"), IMPOSTORS.values(), ids=IMPOSTORS)
def test_a_program_that_is_not_a_hub_is_an_error(tmp_path: Path, answer: Answer, said: str) -> None:
    address = addresses_in(tmp_path).history
    with impostor(address, answer), pytest.raises(AddressError, match=said):
        Subscriber(address, SystemClock())


def test_a_hub_that_does_not_accept_subscribers_is_an_error(tmp_path: Path, impatient: None) -> None:
    addresses = addresses_in(tmp_path)
    hello = msgspec.msgpack.encode(HelloReply("r", "h", addresses.subscribe))
    with (
        impostor(addresses.history, lambda request_id: [request_id, hello]),
        pytest.raises(AddressError, match="does not accept subscribers"),
    ):
        Subscriber(addresses.history, SystemClock())


def test_a_folder_without_a_live_run_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(EndedError, match="no run is live here"):
        join(str(tmp_path), SystemClock())
    with pytest.raises(AddressError, match="is neither a run folder nor an address"):
        join(str(tmp_path / "missing"), SystemClock())
