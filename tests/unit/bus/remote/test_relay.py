"""Relay and follower on real TCP sockets: what arrives, and how it continues after a failure."""

from __future__ import annotations

import errno
import socket
import tempfile
from threading import Event

import pytest

from tests.support.buses import wait_until
from tests.support.captures import some_frames
from tests.support.relays import access, follow_until, follower_of, new_keys, next_of, served_relay
from virnucpro_bus.clock import NANOSECONDS, ManualClock, SystemClock
from virnucpro_bus.errors import AddressError, NoAnswerError, UserError
from virnucpro_bus.fold.fleet import FleetState
from virnucpro_bus.history.kept_snapshot import KeptSnapshot
from virnucpro_bus.remote import follower as follower_module
from virnucpro_bus.remote import relay as relay_module
from virnucpro_bus.remote.feeds import PlayedCapture
from virnucpro_bus.remote.follower import Follower
from virnucpro_bus.remote.keys import Identity
from virnucpro_bus.sources import live as live_module
from virnucpro_bus.sources.live import catch_up, skip_to_snapshot


def test_a_late_follower_gets_everything_in_order_and_then_what_comes(played: PlayedCapture) -> None:
    frames = some_frames(20_000)
    played.append(frames[:15_000], 1)
    with served_relay(played) as served, follower_of(served.address) as follower:
        got = follow_until(follower, lambda got: len(got) >= 15_000)
        played.append(frames[15_000:], 2)
        got += follow_until(follower, lambda got: len(got) >= 5_000)
    assert got == frames


def test_what_comes_live_sets_the_clock_of_the_record(played: PlayedCapture) -> None:
    frames = some_frames(10)
    played.append(frames[:5], 1)
    with served_relay(played) as served, follower_of(served.address) as follower:
        at_first = follower.behind
        assert next_of(follower) == (frames[:5], [1] * 5)
        assert (at_first, follower.behind) == (True, False)
        hour_ns = 3600 * NANOSECONDS
        played.append(frames[5:], hour_ns)
        assert follower.recorded.mono_ns() < hour_ns
        assert next_of(follower) == (frames[5:], [hour_ns] * 5)
        assert hour_ns <= follower.recorded.mono_ns() < 2 * hour_ns


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


@pytest.mark.parametrize("end", ["relay", "follower"])
@pytest.mark.parametrize("with_keys", [False, True], ids=["open", "with keys"])
def test_when_connections_are_closed_for_their_memory_nothing_is_missed(
    played: PlayedCapture, mine: Identity, monkeypatch: pytest.MonkeyPatch, end: str, with_keys: bool
) -> None:
    exceeded = Event()

    def is_exceeded() -> bool:
        was_set = exceeded.is_set()
        exceeded.clear()
        return was_set

    relay_keys, frames = new_keys(), some_frames(3_000)
    played.append(frames[:1_000], 1)
    with (
        served_relay(played, access(relay_keys, mine) if with_keys else None) as served,
        follower_of(served.address, relay_keys.public if with_keys else None) as follower,
    ):
        got = follow_until(follower, lambda got: len(got) >= 1_000)
        guard = served.relay._memory if end == "relay" else follower._memory
        monkeypatch.setattr(guard, "is_exceeded", is_exceeded)
        for first in (1_000, 2_000):
            exceeded.set()
            got += follow_until(follower, lambda _: not exceeded.is_set())
            played.append(frames[first : first + 1_000], 2)
            got += follow_until(follower, lambda got: len(got) >= 1_000)
        assert got == frames
        closed = ["closed all connections"] * 2 if end == "relay" else []
        assert [line.partition(":")[0] for line in served.told] == closed


def test_a_follower_without_contact_has_a_problem_until_there_is_contact_again(
    played: PlayedCapture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follower_module, "RELAY_SILENT_AFTER_NS", 50_000_000)
    with served_relay(played) as served:
        follower = Follower(served.address, SystemClock())
        follow_until(follower, lambda _: not follower.behind)
    follow_until(follower, lambda _: follower.problem)
    assert follower.problem is not None
    assert follower.problem.startswith(f"{served.address}: no contact for 0 s")
    monkeypatch.undo()
    with served_relay(played, address=served.address):
        follow_until(follower, lambda _: follower.problem is None)
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
        pytest.raises(AddressError, match="the relay now serves another run"),
    ):
        follow_until(follower, lambda _: False)
    follower.close()


@pytest.mark.parametrize("is_kept", [True, False], ids=["kept", "dropped"])
def test_a_viewer_begins_with_a_snapshot_of_many_pieces_or_reads_the_whole_capture(
    played: PlayedCapture, monkeypatch: pytest.MonkeyPatch, is_kept: bool
) -> None:
    monkeypatch.setattr(relay_module, "SNAPSHOT_PIECE_BYTES", 1_000)
    frames = some_frames(500)
    played.append(frames, 1)
    with served_relay(played) as served, follower_of(served.address) as follower:
        snapshot = follower.snapshot()
        assert snapshot is not None
        pieces = [next(snapshot.pieces) for _ in range(5)]
        assert [len(piece) for piece in pieces] == [1_000] * 5
        if not is_kept:
            monkeypatch.setattr(KeptSnapshot, "piece", lambda *_: [b"?"])
        fleet = FleetState(SystemClock())
        catch_up(follower, fleet)
        assert fleet.get_totals()["files_completed"] == 500


def test_a_viewer_far_behind_leaps_to_the_snapshot_and_is_exact(
    played: PlayedCapture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_module, "SNAPSHOT_FROM_BYTES", 1_000)
    frames = some_frames(20_000)
    everything = FleetState(clock := SystemClock())
    everything.feed(frames)
    with served_relay(played) as served, follower_of(served.address) as follower:
        fleet = FleetState(clock)
        catch_up(follower, fleet)
        played.append(frames[:15_000], 1)
        wait_until(lambda: served.relay._history._fold.offset == played.size_bytes)
        read: list[bytes] = []
        while follower.offset < played.size_bytes:
            got, came_ns = follower.receive(0.05)
            fleet.feed(got, came_ns)
            read += got
            skip_to_snapshot(follower, fleet)
        assert len(read) < 15_000
        played.append(frames[15_000:], 2)
        while follower.offset < played.size_bytes:
            fleet.feed(*follower.receive(0.05))
        assert fleet.get_totals() == everything.get_totals()


def test_an_address_without_a_listener_is_an_error_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follower_module, "JOIN_SECONDS", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(NoAnswerError, match=f"tcp://127.0.0.1:{port}: nothing listens there"):
        Follower(f"tcp://127.0.0.1:{port}", SystemClock())


def test_a_replay_without_a_place_for_its_file_is_a_user_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere() -> str:
        raise FileNotFoundError(errno.ENOENT, "No usable temporary directory found")

    monkeypatch.setattr(tempfile, "gettempdir", nowhere)
    with pytest.raises(UserError, match=r"no temporary file can be made: No usable temporary .*; set TMPDIR"):
        PlayedCapture()
