"""Which keys a relay admits, and what both ends report about the others."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.buses import wait_until
from tests.support.captures import some_frames
from tests.support.relays import access, follow_until, follower_of, new_keys, served_relay
from virnucpro_bus.clock import SystemClock
from virnucpro_bus.errors import AddressError, NoAnswerError, UserError
from virnucpro_bus.remote.feeds import PlayedCapture
from virnucpro_bus.remote.follower import Follower
from virnucpro_bus.remote.keys import Identity
from virnucpro_bus.remote.listen_address import Access


def test_a_known_key_is_admitted(played: PlayedCapture, mine: Identity) -> None:
    relay_keys, frames = new_keys(), some_frames(100)
    played.append(frames, 1)
    with (
        served_relay(played, access(relay_keys, mine)) as served,
        follower_of(served.address, relay_keys.public) as follower,
    ):
        assert follow_until(follower, lambda got: len(got) >= 100) == frames
        assert served.told == []


REFUSED: dict[str, tuple[Callable[[Identity], bytes | None], str, str]] = {
    "no key": (lambda relay_keys: None, "the relay accepts known keys only", "without the required key"),
    "a wrong server key": (
        lambda relay_keys: new_keys().public,
        "check that --server-key is the relay's public key",
        "another --server-key",
    ),
    "an unknown key": (
        lambda relay_keys: relay_keys.public,
        "not on the relay's list of clients",
        "not on the list",
    ),
}


@pytest.mark.parametrize(("server_key", "viewer_reports", "relay_reports"), REFUSED.values(), ids=REFUSED)
def test_a_refusal_is_explained_to_the_viewer_and_to_the_relay(
    played: PlayedCapture,
    mine: Identity,
    server_key: Callable[[Identity], bytes | None],
    viewer_reports: str,
    relay_reports: str,
) -> None:
    relay_keys = new_keys()
    played.append(some_frames(100), 1)
    with served_relay(played, access(relay_keys, new_keys())) as served:
        with pytest.raises(AddressError, match=viewer_reports) as error:
            Follower(served.address, SystemClock(), server_key(relay_keys))
        assert not isinstance(error.value, NoAnswerError), "it would be asked again and again"
        wait_until(lambda: any(relay_reports in message for message in served.told))


def test_an_unknown_key_is_reported_with_the_command_that_would_allow_it(
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


def test_one_key_cannot_take_the_places_of_all_others(
    played: PlayedCapture, mine: Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("virnucpro_bus.remote.relay.MAX_VIEWERS_PER_KEY", 2)
    relay_keys, other = new_keys(), new_keys()
    with ExitStack() as stack:
        served = stack.enter_context(served_relay(played, access(relay_keys, mine, other)))

        def watch() -> None:
            follower = stack.enter_context(follower_of(served.address, relay_keys.public))
            follow_until(follower, lambda _: not follower.behind)

        for _ in range(2):
            watch()
        with pytest.raises(AddressError, match="already serves 2 viewers with this key"):
            watch()
        monkeypatch.setattr("virnucpro_bus.remote.follower.load_identity", lambda: other)
        watch()


@pytest.mark.parametrize("fate", ["absent", "dead"])
def test_without_an_authenticator_that_answers_no_client_is_admitted(
    played: PlayedCapture, mine: Identity, fate: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    relay_keys = new_keys()
    played.append(some_frames(100), 1)
    if fate == "absent":
        monkeypatch.setattr("virnucpro_bus.remote.authenticator._ENDPOINT", "inproc://nobody-connects-here")
    monkeypatch.setattr("virnucpro_bus.remote.authenticator.Authenticator.answer", lambda self: None)
    with served_relay(played, access(relay_keys, mine)) as served:
        with pytest.raises(AddressError, match="the handshake failed"):
            Follower(served.address, SystemClock(), relay_keys.public)
        wait_until(lambda: served.told)


def test_without_an_own_key_the_error_names_the_command_that_creates_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    with pytest.raises(UserError, match="virnucpro-bus keys new"):
        Follower("tcp://127.0.0.1:1", SystemClock(), new_keys().public)
