"""Keys of this user, and the list of clients: both are private, and no client is admitted by mistake."""

from __future__ import annotations

import multiprocessing
import os
import stat
import string
from pathlib import Path

import pytest
import zmq
from hypothesis import given
from hypothesis import strategies as st
from zmq.utils import z85

from virnucpro_bus.errors import UserError
from virnucpro_bus.remote.keys import (
    ClientList,
    Identity,
    identity_path,
    load_identity,
    new_identity,
    parse_key,
)

A, B = bytes(range(32)), bytes(range(32, 64))


@pytest.fixture(autouse=True)
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """This user's folder of keys, which is not there yet."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return tmp_path / "config" / "virnucpro-bus"


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def written(text: str | bytes) -> ClientList:
    """The list of clients with this text in its file, as a person might have typed it."""
    clients = ClientList()
    clients.path.parent.mkdir(0o700, parents=True, exist_ok=True)
    clients.path.write_bytes(text.encode() if isinstance(text, str) else text)
    clients.path.chmod(0o600)
    return clients


# Keys as text.


@given(st.binary(min_size=32, max_size=32), st.booleans())
def test_a_key_is_64_hexadecimal_characters_of_either_case(key: bytes, upper: bool) -> None:
    assert parse_key(key.hex().upper() if upper else key.hex()) == key


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ab" * 31,
        "ab" * 33,
        "g" * 64,
        " " + "ab" * 31 + "a",
        "ab" * 32 + "\n",
        "١" * 64,
        z85.encode(A).decode(),
    ],
)
def test_a_text_that_is_not_a_key_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(UserError, match="is not a key: expected 64 hexadecimal characters"):
        parse_key(text)


# The identity.


def test_a_new_key_pair_is_the_one_that_is_loaded_and_zmq_takes_it(config: Path) -> None:
    made = new_identity()
    assert load_identity() == made
    assert zmq.curve_public(z85.encode(made.secret)) == z85.encode(made.public)
    with zmq.Context() as context, context.socket(zmq.DEALER) as client:
        client.curve_publickey, client.curve_secretkey = made.public, made.secret
        client.curve_serverkey = made.public
    assert [mode(config), mode(config / "identity.key")] == [0o700, 0o600]


def test_the_secret_shows_neither_in_what_is_printed_nor_in_a_traceback() -> None:
    identity = Identity(A, B)
    assert repr(B) not in repr(identity)
    assert repr(A) in repr(identity)


def test_a_key_that_others_may_rely_on_is_not_overwritten() -> None:
    first = new_identity()
    with pytest.raises(UserError, match=f"^{identity_path()}: already contains a key, .* remove that file first$"):
        new_identity()
    assert load_identity() == first
    identity_path().unlink()
    assert new_identity() != first


def test_a_key_in_another_place_is_not_written_through_a_link(tmp_path: Path) -> None:
    identity_path().parent.mkdir(0o700, parents=True)
    identity_path().symlink_to(tmp_path / "stolen")
    with pytest.raises(UserError, match="already contains a key"):
        new_identity()
    assert not (tmp_path / "stolen").exists()


def test_without_a_key_the_error_names_the_command_that_creates_one() -> None:
    with pytest.raises(UserError, match=f"^{identity_path()}: does not exist; .*: virnucpro-bus keys new$"):
        load_identity()


def test_a_key_that_others_may_read_is_refused_with_the_remedy() -> None:
    new_identity()
    identity_path().chmod(0o640)
    with pytest.raises(UserError, match=f"other users may read or change it; .*: chmod 600 {identity_path()}$"):
        load_identity()


def test_a_link_to_a_key_is_refused(tmp_path: Path) -> None:
    new_identity()
    identity_path().rename(tmp_path / "key")
    identity_path().symlink_to(tmp_path / "key")
    with pytest.raises(UserError, match="is a link"):
        load_identity()


@pytest.mark.parametrize(
    "content", [b"", b"\n", b"nonsense", b"ab" * 31, b"ab" * 33, b"\xff" * 64, b"ab" * 32 + b" x"]
)
def test_a_file_that_is_not_a_key_is_refused(content: bytes) -> None:
    new_identity()
    identity_path().write_bytes(content)
    with pytest.raises(UserError, match=f"^{identity_path()}: is not a secret key; .*: virnucpro-bus keys new$"):
        load_identity()


# The list of clients.


def test_without_a_list_no_client_is_admitted() -> None:
    clients = ClientList()
    assert (clients.current(), clients.problem) == ({}, None)


def test_clients_are_let_in_and_revoked_by_name_or_key() -> None:
    clients = ClientList()
    assert clients.allow(A, "laptop") == "laptop"
    assert clients.allow(B) == B.hex()[:8]
    assert ClientList().current() == clients.current() == {A: "laptop", B: B.hex()[:8]}
    assert clients.revoke("laptop") == "laptop"
    assert clients.current() == {B: B.hex()[:8]}
    assert clients.revoke(B.hex().upper()) == B.hex()[:8]
    assert (clients.current(), clients.problem) == ({}, None)


def test_the_list_has_a_line_for_each_client_and_is_private() -> None:
    clients = ClientList()
    clients.allow(A, "my laptop")
    clients.allow(B, "desk")
    assert clients.path.read_text() == f"{A.hex()} my laptop\n{B.hex()} desk\n"
    assert [mode(clients.path.parent), mode(clients.path)] == [0o700, 0o600]


def test_allowing_again_changes_nothing() -> None:
    clients = ClientList()
    clients.allow(A, "laptop")
    assert clients.allow(A) == clients.allow(A, "laptop") == "laptop"
    assert clients.current() == {A: "laptop"}


def test_one_key_has_one_name_and_one_name_one_key() -> None:
    clients = ClientList()
    clients.allow(A, "laptop")
    with pytest.raises(UserError, match="allowed already, as laptop"):
        clients.allow(A, "desk")
    with pytest.raises(UserError, match=r"^laptop: is the name of another client"):
        clients.allow(B, "laptop")
    assert clients.current() == {A: "laptop"}


@pytest.mark.parametrize(
    "name", ["", " ", " x", "x ", "a\nb", "a\rb", "\x1b[2J", "a\u202eb", "a\u2028b", "\udcff", "x" * 65, A.hex()]
)
def test_a_name_that_no_line_or_screen_could_hold_is_refused(name: str) -> None:
    clients = ClientList()
    with pytest.raises(UserError, match="is not a name for a client"):
        clients.allow(A, name)
    assert clients.current() == {}


def test_revoking_an_unknown_client_is_refused() -> None:
    ClientList().allow(A, "laptop")
    for unknown in ("desk", "lap", B.hex(), ""):
        with pytest.raises(UserError, match="no client has this name or key"):
            ClientList().revoke(unknown)
    assert ClientList().current() == {A: "laptop"}


names = st.text(st.sampled_from(string.ascii_letters + string.digits + " .-_@é日"), min_size=1, max_size=20)
valid_names = names.map(str.strip).filter(bool)


@given(st.dictionaries(st.binary(min_size=32, max_size=32), valid_names, max_size=8))
def test_what_was_written_is_what_is_read(allowed: dict[bytes, str]) -> None:
    distinct = {key: name for key, name in allowed.items() if list(allowed.values()).count(name) == 1}
    clients = written("".join(f"{key.hex()} {name}\n" for key, name in distinct.items()))
    assert (clients.current(), clients.problem) == (distinct, None)


@pytest.mark.parametrize(
    "line",
    [
        A.hex(),
        f"{A.hex()} ",
        f"{A.hex()}  two spaces",
        f"{A.hex()}\ttab",
        f"{A.hex()[1:]} short",
        f"# {A.hex()} comment",
        "",
        f"{A.hex()} \x1b[31mred",
        f"{B.hex()} another name for the same key",
        f"{A.hex()} desk",
    ],
)
def test_an_invalid_list_admits_no_client(line: str) -> None:
    clients = written(f"{B.hex()} desk\n{line}\n")
    assert clients.current() == {}
    assert clients.problem is not None
    assert clients.problem.startswith(f"{clients.path}: line 2 ")
    with pytest.raises(UserError, match="line 2 "):
        clients.allow(bytes(32), "other")


def test_a_list_that_is_not_utf8_admits_no_client() -> None:
    clients = written(A.hex().encode() + b" caf\xe9\n")
    assert clients.current() == {}
    assert clients.problem is not None


# While a relay is running.


def test_a_change_by_another_process_is_seen_at_the_next_call() -> None:
    watching, changing = ClientList(), ClientList()
    assert watching.current() == {}
    changing.allow(A, "laptop")
    assert watching.current() == {A: "laptop"}
    changing.revoke("laptop")
    assert watching.current() == {}
    changing.allow(B, "desk")
    changing.path.unlink()
    assert watching.current() == {}


def test_an_unchanged_list_is_not_read_again() -> None:
    ClientList().allow(A, "laptop")
    watching = ClientList()
    assert watching.current() is watching.current()


@pytest.mark.parametrize("where", ["file", "folder"])
def test_a_list_that_other_users_can_change_admits_no_client_until_it_is_private_again(where: str) -> None:
    watching = ClientList()
    watching.allow(A, "laptop")
    assert watching.current() == {A: "laptop"}
    path, safe = (watching.path, 0o600) if where == "file" else (watching.path.parent, 0o700)
    path.chmod(safe | 0o022)
    assert watching.current() == {}
    problem = watching.problem
    assert problem is not None
    assert f"chmod {safe:o} {path}" in problem
    path.chmod(safe)
    assert (watching.current(), watching.problem) == ({A: "laptop"}, None)


def test_a_list_that_became_a_link_admits_no_client(tmp_path: Path) -> None:
    watching = ClientList()
    watching.allow(A, "laptop")
    watching.path.rename(tmp_path / "elsewhere")
    watching.path.symlink_to(tmp_path / "elsewhere")
    assert watching.current() == {}
    assert watching.problem is not None


def _allow_many(first: int) -> None:
    for number in range(first, first + 10):
        ClientList().allow(bytes([number]) * 32, f"client {number}")


def test_processes_that_allow_at_the_same_time_lose_nothing() -> None:
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_allow_many, args=(first,)) for first in (0, 10, 20)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0, 0, 0]
    assert ClientList().current() == {bytes([number]) * 32: f"client {number}" for number in range(30)}


def test_the_draft_of_a_killed_process_does_no_harm() -> None:
    clients = ClientList()
    clients.allow(A, "laptop")
    clients.path.with_name(".clients.draft").write_text("half a li")
    clients.allow(B, "desk")
    assert clients.current() == {A: "laptop", B: "desk"}
    assert sorted(os.listdir(clients.path.parent)) == [".clients.lock", "clients"]
