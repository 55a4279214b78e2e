"""Relay and follower on real TCP sockets: what comes over, to whom, and what does not."""

from __future__ import annotations

import resource
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import zmq
from buses import peer, wait_until
from captures import some_frames
from relays import follow_until, follower_of, new_keys, next_of, served_relay

from virnucpro_bus import follower as follower_module
from virnucpro_bus import listen as listen_module
from virnucpro_bus import relay as relay_module
from virnucpro_bus.clock import ManualClock, SystemClock
from virnucpro_bus.errors import AddressError, UserError
from virnucpro_bus.fleet import FleetState
from virnucpro_bus.follower import Follower
from virnucpro_bus.keys import Identity
from virnucpro_bus.listen import leap, read_up
from virnucpro_bus.relay import Access
from virnucpro_bus.relaying import Sparingly
from virnucpro_bus.served import PlayedCapture


@pytest.fixture
def played() -> Iterator[PlayedCapture]:
    made = PlayedCapture()
    yield made
    made.close()


@pytest.fixture
def mine(monkeypatch: pytest.MonkeyPatch) -> Identity:
    """The keys that a follower of this test comes with."""
    keys = new_keys()
    monkeypatch.setattr(follower_module, "load_identity", lambda: keys)
    return keys


def test_a_late_follower_gets_everything_in_order_and_then_what_comes(played: PlayedCapture) -> None:
    frames = some_frames(20_000)
    played.append(frames[:15_000], 1)
    with served_relay(played) as served, follower_of(served.address) as follower:
        got = follow_until(follower, lambda got: len(got) >= 15_000)
        played.append(frames[15_000:], 2)
        got += follow_until(follower, lambda got: len(got) >= 5_000)
    assert got == frames


def test_what_was_there_before_counts_as_history_and_what_comes_then_does_not(played: PlayedCapture) -> None:
    frames = some_frames(10)
    played.append(frames[:5], 1)
    with served_relay(played) as served, follower_of(served.address) as follower:
        assert follower.behind
        assert next_of(follower) == (frames[:5], None)
        assert not follower.behind
        played.append(frames[5:], 2)
        clock = SystemClock()
        before_ns = clock.mono_ns()
        got, came_ns = next_of(follower)
        assert got == frames[5:]
        assert came_ns is not None
        assert before_ns <= came_ns <= clock.mono_ns()


def test_a_follower_of_a_relay_that_comes_back_misses_nothing_and_gets_nothing_twice(
    played: PlayedCapture,
) -> None:
    frames = some_frames(3_000)
    played.append(frames[:1_000], 1)
    with served_relay(played) as served:
        follower = Follower(served.address, SystemClock())
        got = follow_until(follower, lambda got: len(got) >= 1_000)
    played.append(frames[1_000:2_000], 2)
    with served_relay(played, address=served.address):
        got += follow_until(follower, lambda got: len(got) >= 1_000)
        played.append(frames[2_000:], 3)
        got += follow_until(follower, lambda got: len(got) >= 1_000)
    follower.close()
    assert got == frames


def test_a_follower_without_contact_says_so_and_is_well_again_afterwards(
    played: PlayedCapture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follower_module, "SILENT_AFTER_NS", 50_000_000)
    with served_relay(played) as served:
        follower = Follower(served.address, SystemClock())
        follow_until(follower, lambda _: not follower.behind)
    follow_until(follower, lambda _: follower.trouble)
    assert follower.trouble is not None
    assert follower.trouble.startswith(f"{served.address}: no contact for 0 s")
    monkeypatch.undo()
    with served_relay(played, address=served.address):
        follow_until(follower, lambda _: follower.trouble is None)
    follower.close()


def test_a_follower_without_contact_for_two_minutes_gives_up(played: PlayedCapture) -> None:
    with served_relay(played) as served, follower_of(served.address) as follower:
        follower.prove_alive()
        follower._clock = ManualClock(0, SystemClock().mono_ns() + 121 * 10**9)
        with pytest.raises(AddressError, match="no contact"):
            follower.prove_alive()


def test_a_follower_of_one_run_is_not_given_another_run(played: PlayedCapture) -> None:
    with served_relay(played) as served:
        follower = Follower(served.address, SystemClock())
    with (
        served_relay(played, address=served.address, run="run-2"),
        pytest.raises(AddressError, match="another run is served there now"),
    ):
        follow_until(follower, lambda _: False)
    follower.close()


def test_a_viewer_may_begin_with_a_snapshot(played: PlayedCapture) -> None:
    frames = some_frames(5_000)
    played.append(frames, 1)
    everything = FleetState(clock := SystemClock())
    everything.feed(frames)
    with served_relay(played) as served, follower_of(served.address) as follower:
        fleet = FleetState(clock)
        read_up(follower, fleet)
        assert fleet.get_totals() == everything.get_totals()


def test_a_viewer_far_behind_leaps_to_the_snapshot_and_is_exact(
    played: PlayedCapture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listen_module, "MUCH_BYTES", 1_000)
    frames = some_frames(20_000)
    everything = FleetState(clock := SystemClock())
    everything.feed(frames)
    with served_relay(played) as served, follower_of(served.address) as follower:
        fleet = FleetState(clock)
        read_up(follower, fleet)
        played.append(frames[:15_000], 1)
        wait_until(lambda: served.relay._history._standing.snapshot()[0] == played.size_bytes)
        read: list[bytes] = []
        while follower.offset < played.size_bytes:
            got, came_ns = follower.receive(0.05)
            fleet.feed(got, came_ns)
            read += got
            leap(follower, fleet)
        assert len(read) < 15_000
        played.append(frames[15_000:], 2)
        while follower.offset < played.size_bytes:
            fleet.feed(*follower.receive(0.05))
        assert fleet.get_totals() == everything.get_totals()


def test_nobody_at_an_address_is_an_error_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follower_module, "JOIN_SECONDS", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(AddressError, match=f"tcp://127.0.0.1:{port}: nobody listens there"):
        Follower(f"tcp://127.0.0.1:{port}", SystemClock())


# Keys.


def access(relay_keys: Identity, *clients: Identity) -> Access:
    allowed = {client.public: "client" for client in clients}
    return Access(relay_keys, lambda: allowed)


def test_a_known_key_is_let_in(played: PlayedCapture, mine: Identity) -> None:
    relay_keys, frames = new_keys(), some_frames(100)
    played.append(frames, 1)
    with (
        served_relay(played, access(relay_keys, mine)) as served,
        follower_of(served.address, relay_keys.public) as follower,
    ):
        assert follow_until(follower, lambda got: len(got) >= 100) == frames
        assert served.told == []


REFUSED: dict[str, tuple[Callable[[Identity], bytes | None], str, str]] = {
    "no key": (lambda relay_keys: None, "it lets in known keys only", "without the key"),
    "a wrong server key": (
        lambda relay_keys: new_keys().public,
        "is --server-key its key",
        "another --server-key",
    ),
    "an unknown key": (lambda relay_keys: relay_keys.public, "not on the list of clients", "not on the list"),
}


@pytest.mark.parametrize(("server_key", "said_here", "said_there"), REFUSED.values(), ids=REFUSED)
def test_who_is_refused_learns_why_and_so_does_the_relay(
    played: PlayedCapture,
    mine: Identity,
    server_key: Callable[[Identity], bytes | None],
    said_here: str,
    said_there: str,
) -> None:
    relay_keys = new_keys()
    played.append(some_frames(100), 1)
    with served_relay(played, access(relay_keys, new_keys())) as served:
        with pytest.raises(AddressError, match=said_here):
            Follower(served.address, SystemClock(), server_key(relay_keys))
        wait_until(lambda: any(said_there in message for message in served.told))


def test_who_is_not_known_is_named_with_the_command_that_would_let_it_in(
    played: PlayedCapture, mine: Identity
) -> None:
    relay_keys = new_keys()
    with served_relay(played, access(relay_keys)) as served:
        with pytest.raises(AddressError, match=f"virnucpro-bus keys allow {mine.public.hex()}"):
            Follower(served.address, SystemClock(), relay_keys.public)
        wait_until(lambda: any(f"virnucpro-bus keys allow {mine.public.hex()}" in each for each in served.told))


def test_a_key_that_is_revoked_while_it_watches_gets_nothing_more(played: PlayedCapture, mine: Identity) -> None:
    relay_keys, allowed = new_keys(), {mine.public: "me"}
    frames = some_frames(200)
    played.append(frames[:100], 1)
    with (
        served_relay(played, Access(relay_keys, lambda: allowed)) as served,
        follower_of(served.address, relay_keys.public) as follower,
    ):
        got = follow_until(follower, lambda got: len(got) >= 100)
        allowed.clear()
        played.append(frames[100:], 2)
        with pytest.raises(AddressError, match="key has been revoked there"):
            got += follow_until(follower, lambda _: False)
        assert got == frames[:100]
        wait_until(lambda: any("has been revoked" in message for message in served.told))


@pytest.mark.parametrize("fate", ["absent", "dead"])
def test_without_somebody_who_looks_at_keys_nobody_comes_in(
    played: PlayedCapture, mine: Identity, fate: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    relay_keys = new_keys()
    played.append(some_frames(100), 1)
    if fate == "absent":
        monkeypatch.setattr("virnucpro_bus.zap._ENDPOINT", "inproc://nobody-asks-here")
    monkeypatch.setattr("virnucpro_bus.zap.Doorkeeper.answer", lambda self: None)
    with served_relay(played, access(relay_keys, mine)) as served:
        with pytest.raises(AddressError, match="the handshake failed"):
            Follower(served.address, SystemClock(), relay_keys.public)
        wait_until(lambda: served.told)


def test_without_a_key_of_ones_own_the_error_says_how_to_get_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    with pytest.raises(UserError, match="virnucpro-bus keys new"):
        Follower("tcp://127.0.0.1:1", SystemClock(), new_keys().public)


# Whoever means no good.


@pytest.mark.parametrize(
    "question",
    [[b"follow", b"run-1", b"-1"], [b"follow", b"run-1", b"9" * 19], [b"read", b"0"], [b"follow"], [b""], []],
    ids=repr,
)
def test_what_is_no_question_gets_no_data(played: PlayedCapture, question: list[bytes]) -> None:
    played.append(some_frames(100), 1)
    with served_relay(played) as served, peer(zmq.DEALER, served.address) as stranger:
        stranger.send_multipart([b"1", *question])
        if question:
            assert stranger.recv_multipart() == [b"1", b"refused", b"that is not a question"]
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
def stranger_at(address: str, says: bytes) -> Iterator[socket.socket]:
    """A plain TCP connection to a relay, on which something has been said."""
    host, _, port = address.removeprefix("tcp://").rpartition(":")
    with socket.create_connection((host, int(port))) as stranger:
        stranger.settimeout(5)
        stranger.sendall(says)
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
def test_garbage_on_a_port_with_keys_is_hung_up_on_and_told(
    played: PlayedCapture, mine: Identity, garbage: bytes
) -> None:
    with served_relay(played, access(new_keys(), mine)) as served:
        with stranger_at(served.address, garbage) as stranger:
            assert hung_up(stranger)
        wait_until(lambda: served.told)


@pytest.mark.parametrize("garbage", GARBAGE, ids=range(len(GARBAGE)))
def test_garbage_on_a_port_without_keys_harms_nobody(played: PlayedCapture, garbage: bytes) -> None:
    played.append(some_frames(100), 1)
    with (
        served_relay(played) as served,
        stranger_at(served.address, garbage),
        follower_of(served.address) as follower,
    ):
        assert len(follow_until(follower, lambda got: len(got) >= 100)) == 100


def test_one_who_asks_and_never_reads_takes_little_memory_and_no_time(played: PlayedCapture) -> None:
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


def test_no_more_than_so_many_are_served_at_once(played: PlayedCapture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay_module, "MOST_VIEWERS", 2)
    with (
        served_relay(played) as served,
        follower_of(served.address) as first,
        follower_of(served.address) as second,
    ):
        for follower in (first, second):
            follow_until(follower, lambda _, follower=follower: not follower.behind)
        with pytest.raises(AddressError, match="2 others are watching already"):
            Follower(served.address, SystemClock())


def test_viewers_that_have_gone_are_forgotten(played: PlayedCapture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay_module, "FORGOTTEN_AFTER_NS", 0)
    monkeypatch.setattr(relay_module, "KEEP_ALIVE_NS", 0)
    with served_relay(played) as served:
        with follower_of(served.address) as follower:
            follow_until(follower, lambda _: not follower.behind)
        wait_until(lambda: not served.relay._viewers)


def test_complaints_are_told_a_few_at_a_time_and_the_rest_is_counted() -> None:
    clock, told = ManualClock(), list[str]()
    complain = Sparingly(told.append, clock)
    for number in range(100):
        complain(f"stranger {number}")
        complain("the same stranger again")
    assert told == ["stranger 0", "the same stranger again", "stranger 1", "stranger 2", "stranger 3"]
    clock.advance(10)
    complain("another")
    assert told[5:] == ["195 more were refused since", "another"]
