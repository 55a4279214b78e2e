"""Where local sockets go when they cannot be in the folder itself."""

from __future__ import annotations

import errno
import os
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from virnucpro_bus.errors import UserError
from virnucpro_bus.files import socket_folder
from virnucpro_bus.files.socket_folder import (
    is_listening,
    is_usable_as_address,
    make_socket_folder,
    remove_socket_folder,
)


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="vb") as folder:
        (Path(folder) / "runtime").mkdir()
        (Path(folder) / "out").mkdir()
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(Path(folder) / "runtime"))
        yield Path(folder)


def without_sockets(monkeypatch: pytest.MonkeyPatch, *places: Path, error: int = errno.EOPNOTSUPP) -> None:
    """Let no socket be made below these places."""

    class Socket(socket.socket):
        def bind(self, address: bytes) -> None:  # type: ignore[override]
            if any(os.fsdecode(address).startswith(str(place)) for place in places):
                raise OSError(error, os.strerror(error))
            super().bind(address)

    monkeypatch.setattr(socket, "socket", Socket)


def test_sockets_are_in_the_folder_itself_and_no_other_is_looked_for(
    short: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nowhere() -> str:
        pytest.fail("it asked for a temporary folder")

    monkeypatch.setattr(tempfile, "gettempdir", nowhere)
    assert make_socket_folder(short / "out") == short / "out" / ".bus"
    assert list((short / "out" / ".bus").iterdir()) == []


@pytest.mark.parametrize("error", [errno.EOPNOTSUPP, errno.EPERM, errno.EACCES, errno.EINVAL])
def test_where_no_socket_can_be_made_they_are_in_the_runtime_folder(
    short: Path, monkeypatch: pytest.MonkeyPatch, error: int
) -> None:
    without_sockets(monkeypatch, short / "out", error=error)
    folder = make_socket_folder(short / "out")
    assert folder.is_relative_to(short / "runtime")
    remove_socket_folder(folder)
    assert list((short / "runtime").iterdir()) == []


def test_where_none_can_be_made_anywhere_it_is_an_error_in_one_line(
    short: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nowhere() -> str:
        raise FileNotFoundError(errno.ENOENT, "No usable temporary directory found")

    monkeypatch.setattr(tempfile, "gettempdir", nowhere)
    without_sockets(monkeypatch, short)
    with pytest.raises(UserError, match=r"no local socket can be made in .*: Operation not supported; set XDG_"):
        make_socket_folder(short / "out")
    assert list((short / "runtime").iterdir()) == []


def test_the_folder_of_the_user_stays_while_it_has_sockets_of_another_run(short: Path) -> None:
    first, second = (make_socket_folder(short / (name * 120)) for name in "ab")
    remove_socket_folder(first)
    assert second.is_dir()
    remove_socket_folder(second)
    assert list((short / "runtime").iterdir()) == []


def test_a_path_that_the_locale_encodes_otherwise_than_zeromq_is_not_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert is_usable_as_address(Path("/laté"))
    monkeypatch.setattr(os, "fsencode", lambda path: str(path).encode("latin-1"))
    assert not is_usable_as_address(Path("/laté"))
    assert is_usable_as_address(Path("/late"))


def test_only_a_socket_on_which_a_process_listens_is_listening(short: Path) -> None:
    address = f"ipc://{short}/a.sock"
    assert not is_listening(address)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(f"{short}/a.sock")
        assert not is_listening(address)
        listener.listen()
        assert is_listening(address)
    assert not is_listening(address)
    assert not is_listening(f"ipc://{'x' * 200}")


def test_without_its_name_in_the_environment_the_runtime_folder_is_where_systemd_makes_it(
    short: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    monkeypatch.setattr(socket_folder, "_RUNTIME_FOLDERS", short)
    (short / str(os.getuid())).mkdir()
    without_sockets(monkeypatch, short / "out")
    folder = make_socket_folder(short / "out")
    assert folder.parents[1] == short / str(os.getuid())
    remove_socket_folder(folder)
