"""The addresses on which a relay may listen, and which of them need keys."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.relays import new_keys
from virnucpro_bus.errors import AddressError, UserError
from virnucpro_bus.remote.keys import ClientList, new_identity
from virnucpro_bus.remote.listen_address import access_for, parse_listen


@pytest.fixture(autouse=True)
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("tcp://127.0.0.1:5599", "tcp://127.0.0.1:5599"),
        ("tcp://localhost:5599", "tcp://127.0.0.1:5599"),
        ("tcp://*:5599", "tcp://0.0.0.0:5599"),
        ("tcp://127.0.0.1:*", "tcp://127.0.0.1:*"),
        ("tcp://127.0.0.1:0", "tcp://127.0.0.1:*"),
        ("tcp://[::1]:5599", "tcp://[::1]:5599"),
        ("tcp://10.1.2.3:1", "tcp://10.1.2.3:1"),
    ],
)
def test_an_address_to_listen_at_is_understood(text: str, url: str) -> None:
    assert parse_listen(text).url == url


@pytest.mark.parametrize(
    "text",
    ["", "5599", "127.0.0.1:5599", "tcp://127.0.0.1", "tcp://node7:5599", "tcp://1.2.3.4:65536", "ipc:///tmp/x",
     "tcp://1.2.3.4:5599/x", "tcp://\x1b[2J:1"],
    ids=repr,
)  # fmt: skip
def test_an_invalid_listen_address_is_an_error_in_one_printable_line(text: str) -> None:
    with pytest.raises(AddressError) as error:
        parse_listen(text)
    assert str(error.value).isprintable()


@pytest.mark.parametrize(
    "text", ["tcp://127.0.0.1:5599", "tcp://localhost:1", "tcp://127.9.9.9:1", "tcp://[::1]:1"]
)
def test_an_address_of_this_machine_alone_needs_no_keys(text: str) -> None:
    assert access_for(parse_listen(text)) is None


@pytest.mark.parametrize("text", ["tcp://*:5599", "tcp://10.1.2.3:5599", "tcp://[::]:5599", "tcp://0.0.0.0:5599"])
def test_an_address_that_other_machines_can_reach_needs_keys_and_clients(text: str) -> None:
    address = parse_listen(text)
    with pytest.raises(
        UserError, match=r"needs keys: .*virnucpro-bus keys new.* ssh -N -L 5599:127\.0\.0\.1:5599"
    ):
        access_for(address)
    identity = new_identity()
    with pytest.raises(UserError, match="contains no client"):
        access_for(address)
    client = new_keys()
    ClientList().allow(client.public, "laptop")
    access = access_for(address)
    assert access is not None
    assert access.identity == identity
    assert access.allowed() == {client.public: "laptop"}


def test_keys_that_other_users_can_read_do_not_open_an_address(config: Path) -> None:
    new_identity()
    ClientList().allow(new_keys().public, "laptop")
    (config / "virnucpro-bus" / "identity.key").chmod(0o644)
    with pytest.raises(UserError, match=r"needs keys: .*identity\.key"):
        access_for(parse_listen("tcp://*:5599"))


def test_the_wildcard_address_is_shown_to_viewers_by_host_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: "node7")
    assert parse_listen("tcp://*:*").seen_from_outside(4711) == "tcp://node7:4711"
    assert parse_listen("tcp://10.1.2.3:*").seen_from_outside(4711) == "tcp://10.1.2.3:4711"
    assert parse_listen("tcp://[fe80::1]:*").seen_from_outside(4711) == "tcp://[fe80::1]:4711"
