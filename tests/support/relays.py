"""Relays on real sockets, polled by a thread; keys; and clients that are not admitted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import zmq
from zmq.utils import z85

from tests.support.buses import turned_by_a_thread
from virnucpro_bus.clock import SystemClock
from virnucpro_bus.history.protocol import HelloReply, ReadableCapture
from virnucpro_bus.remote.follower import Follower
from virnucpro_bus.remote.keys import Identity
from virnucpro_bus.remote.listen_address import Access
from virnucpro_bus.remote.relay import Relay

HELLO = HelloReply("run-1", "node", "")


def new_keys() -> Identity:
    """A key pair that is written nowhere."""
    public, secret = (z85.decode(key) for key in zmq.curve_keypair())
    return Identity(public, secret)


class Served:
    """A relay at work, and what it has complained of."""

    def __init__(self, relay: Relay, told: list[str]) -> None:
        self.relay = relay
        self.address = relay.address
        self.told = told


@contextmanager
def served_relay(
    recorded: ReadableCapture, access: Access | None = None, address: str = "tcp://127.0.0.1:*", run: str = "run-1"
) -> Iterator[Served]:
    """A relay whose loop runs in a thread until the end."""
    told: list[str] = []
    relay = Relay(address, recorded, HelloReply(run, "node", ""), SystemClock(), access, told.append)
    try:
        with turned_by_a_thread(relay):
            yield Served(relay, told)
    finally:
        relay.close()


@contextmanager
def follower_of(address: str, server_key: bytes | None = None) -> Iterator[Follower]:
    follower = Follower(address, SystemClock(), server_key)
    try:
        yield follower
    finally:
        follower.close()


def next_of(follower: Follower, seconds: float = 20.0) -> tuple[list[bytes], list[int]]:
    """What it receives next, with the times of the record."""
    clock = SystemClock()
    until_ns = clock.mono_ns() + int(seconds * 1e9)
    while not (received := follower.receive(0.05))[0]:
        assert clock.mono_ns() < until_ns, f"no frames; {follower.problem}"
    return received


def follow_until(
    follower: Follower, enough: Callable[[list[bytes]], object], seconds: float = 20.0
) -> list[bytes]:
    """What it receives, in order, until `enough` holds."""
    clock = SystemClock()
    until_ns = clock.mono_ns() + int(seconds * 1e9)
    frames: list[bytes] = []
    while not enough(frames):
        assert clock.mono_ns() < until_ns, f"only {len(frames)} frames; {follower.problem}"
        frames += follower.receive(0.05)[0]
    return frames


def access(relay_keys: Identity, *clients: Identity) -> Access:
    allowed = {client.public: "client" for client in clients}
    return Access(relay_keys, lambda: allowed)
