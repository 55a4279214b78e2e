"""Clients that are hostile to a relay, or that ask for too much."""

from __future__ import annotations

import resource
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import zmq

from tests.support.buses import peer, wait_until
from tests.support.captures import some_frames
from tests.support.relays import access, follow_until, follower_of, new_keys, served_relay
from virnucpro_bus.clock import ManualClock, SystemClock
from virnucpro_bus.errors import AddressError
from virnucpro_bus.remote import relay as relay_module
from virnucpro_bus.remote.feeds import PlayedCapture
from virnucpro_bus.remote.follower import Follower
from virnucpro_bus.remote.keys import Identity
from virnucpro_bus.remote.serve import RateLimitedLog


@pytest.mark.parametrize(
    "question",
    [[b"follow", b"run-1", b"-1"], [b"follow", b"run-1", b"9" * 19], [b"read", b"0"], [b"follow"], [b""], []],
    ids=repr,
)
def test_an_unknown_request_gets_no_data(played: PlayedCapture, question: list[bytes]) -> None:
    played.append(some_frames(100), 1)
    with served_relay(played) as served, peer(zmq.DEALER, served.address) as stranger:
        stranger.send_multipart([b"1", *question])
        if question:
            assert stranger.recv_multipart() == [b"1", b"refused", b"unknown request"]
        stranger.send_multipart([b"2", b"hello"])
        assert stranger.recv_multipart()[0] == b"2"


GARBAGE = (
    b"GET / HTTP/1.1\r\n\r\n" * 50,
    bytes(range(256)) * 40,
    b"\xff" + bytes(8) + b"\x7f" * 500,
    b"\0" * 3,
    b"",
)


@contextmanager
def stranger_at(address: str, data: bytes) -> Iterator[socket.socket]:
    """A plain TCP connection to a relay, on which `data` has been sent."""
    host, _, port = address.removeprefix("tcp://").rpartition(":")
    with socket.create_connection((host, int(port))) as stranger:
        stranger.settimeout(5)
        stranger.sendall(data)
        yield stranger


def hung_up(stranger: socket.socket) -> bool:
    """Whether the other end closes the connection within 5 s, whatever it sends before that."""
    try:
        while stranger.recv(4096):
            pass
    except ConnectionError:
        pass
    return True


@pytest.mark.parametrize("garbage", GARBAGE, ids=range(len(GARBAGE)))
def test_garbage_on_a_port_with_keys_is_disconnected_and_reported(
    played: PlayedCapture, mine: Identity, garbage: bytes
) -> None:
    with served_relay(played, access(new_keys(), mine)) as served:
        with stranger_at(served.address, garbage) as stranger:
            assert hung_up(stranger)
        wait_until(lambda: served.told)


@pytest.mark.parametrize("garbage", GARBAGE, ids=range(len(GARBAGE)))
def test_garbage_on_a_port_without_keys_does_no_harm(played: PlayedCapture, garbage: bytes) -> None:
    played.append(some_frames(100), 1)
    with (
        served_relay(played) as served,
        stranger_at(served.address, garbage),
        follower_of(served.address) as follower,
    ):
        assert len(follow_until(follower, lambda got: len(got) >= 100)) == 100


def test_a_viewer_that_asks_and_never_reads_takes_little_memory_and_no_time(played: PlayedCapture) -> None:
    frames = some_frames(200_000)
    played.append(frames, 1)
    with served_relay(played) as served, peer(zmq.DEALER, served.address) as greedy:
        greedy.setsockopt(zmq.RCVHWM, 1)
        before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for number in range(20_000):
            greedy.send_multipart([str(number).encode(), b"follow", b"run-1", b"0"])
        with follower_of(served.address) as follower:
            assert len(follow_until(follower, lambda got: len(got) >= 200_000)) == 200_000
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb < 100_000


def catch_up(follower: Follower) -> None:
    follow_until(follower, lambda _: not follower.behind)


def test_no_more_than_so_many_are_served_at_once(played: PlayedCapture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay_module, "MAX_VIEWERS", 2)
    with (
        served_relay(played) as served,
        follower_of(served.address) as first,
        follower_of(served.address) as second,
    ):
        for follower in (first, second):
            catch_up(follower)
        with pytest.raises(AddressError, match="the relay already serves 2 viewers"):
            Follower(served.address, SystemClock())


def test_viewers_that_have_gone_are_forgotten(played: PlayedCapture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay_module, "FORGOTTEN_AFTER_NS", 0)
    monkeypatch.setattr(relay_module, "KEEP_ALIVE_NS", 0)
    with served_relay(played) as served:
        with follower_of(served.address) as follower:
            follow_until(follower, lambda _: not follower.behind)
        wait_until(lambda: not served.relay._viewers)


def test_a_few_refusals_are_reported_at_a_time_and_the_others_are_counted() -> None:
    clock, reported = ManualClock(), list[str]()
    log = RateLimitedLog(reported.append, clock)
    for number in range(100):
        log(f"stranger {number}")
        log("the same stranger again")
    assert reported == ["stranger 0", "the same stranger again", "stranger 1", "stranger 2", "stranger 3"]
    clock.advance(10)
    log("another")
    assert reported[5:] == ["refused 195 more connections since then", "another"]


def test_of_a_long_refusal_the_beginning_is_reported(
    played: PlayedCapture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay_module.Relay, "_refusal", lambda *_: "no " * 1_000_000)
    with served_relay(played) as served:
        with pytest.raises(AddressError, match="no no no") as refusal:
            Follower(served.address, SystemClock())
        assert len(str(refusal.value)) < 1_100
