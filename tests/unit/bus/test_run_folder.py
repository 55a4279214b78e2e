"""A run folder on disk: one holder, private sockets, nothing left behind."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest
import zmq

from virnucpro_bus.errors import AddressError, EndedError, UserError
from virnucpro_bus.files.private_files import private_folder
from virnucpro_bus.files.socket_folder import socket_folder
from virnucpro_bus.run_folder import BusAddresses, RunFolder, read_addresses

ADDRESSES = BusAddresses("run-1", socket.gethostname(), 4321, "ipc://p", "ipc://s", "ipc://h")
NOBODY = 65534

HOLDER = """
import sys
from pathlib import Path
from virnucpro_bus.run_folder import BusAddresses, RunFolder
folder = RunFolder(Path(sys.argv[1])).claim()
print("claimed", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "out"


@contextmanager
def claimed(path: Path) -> Iterator[RunFolder]:
    folder = RunFolder(path).claim()
    try:
        yield folder
    finally:
        folder.release()


@contextmanager
def held_elsewhere(path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the folder."""
    command = [sys.executable, "-c", HOLDER, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "claimed\n"
        yield process
        process.kill()


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


# One holder.


def test_a_second_holder_is_refused_and_the_first_is_named(path: Path) -> None:
    with (
        held_elsewhere(path) as holder,
        pytest.raises(UserError, match=rf"^{path}: in use by another run \(pid {holder.pid}\); choose another"),
    ):
        RunFolder(path).claim()


def test_two_holders_in_one_process_are_refused_too(path: Path) -> None:
    with claimed(path), pytest.raises(UserError, match=f"pid {os.getpid()}"):
        RunFolder(path).claim()


def test_another_way_to_the_same_folder_is_the_same_lock(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with claimed(path):
        (path.parent / "link").symlink_to(path)
        monkeypatch.chdir(path.parent)
        for way in (Path("out"), path.parent / "link", path / ".." / "out"):
            with pytest.raises(UserError, match="in use by another run"):
                RunFolder(way).claim()


def test_what_a_killed_holder_has_left_is_cleared(path: Path) -> None:
    with held_elsewhere(path) as holder:
        (path / ".bus" / "publish.sock").touch()
        holder.kill()
        holder.wait()
    with claimed(path):
        assert sorted(each.name for each in (path / ".bus").iterdir()) == ["lock"]


def test_after_release_nothing_is_left_and_it_can_be_claimed_again(path: Path) -> None:
    for _ in range(2):
        with claimed(path) as folder:
            folder.announce(ADDRESSES)
            (path / ".bus" / "publish.sock").touch()
        assert not path.exists()


def test_a_folder_that_was_there_before_stays(path: Path) -> None:
    path.mkdir()
    with claimed(path):
        pass
    assert list(path.iterdir()) == []


def test_releasing_twice_does_not_take_the_next_holders_folder(path: Path) -> None:
    first = RunFolder(path).claim()
    first.release()
    with claimed(path) as second:
        second.announce(ADDRESSES)
        first.release()
        assert read_addresses(path) == ADDRESSES


def test_files_of_other_programs_stay(path: Path) -> None:
    with claimed(path):
        (path / ".bus" / "notes.txt").write_text("mine")
    assert (path / ".bus" / "notes.txt").read_text() == "mine"


def test_drafts_that_a_killed_run_has_left_are_removed(path: Path) -> None:
    path.mkdir()
    for name in ("bus.json", "summary.json", "run.vbus"):
        (path / f".{name}.draft").touch()
    (path / ".notes.draft").touch()
    with claimed(path):
        assert sorted(each.name for each in path.iterdir()) == [".bus", ".notes.draft"]


def test_a_disk_that_has_become_read_only_does_not_keep_the_folder_locked(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read_only(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    folder = RunFolder(path).claim()
    folder.announce(ADDRESSES)
    with monkeypatch.context() as patch:
        for name in ("unlink", "rmdir"):
            patch.setattr(os, name, read_only)
        folder.release()
    assert (path / "bus.json").exists()
    with pytest.raises(EndedError, match="no longer alive"):
        read_addresses(path)
    with claimed(path):
        pass


# Private.


def test_bus_json_and_the_socket_folder_are_for_their_owner_alone(path: Path) -> None:
    before = os.umask(0)
    try:
        with claimed(path) as folder:
            folder.announce(ADDRESSES)
            assert (mode(path / "bus.json"), mode(path / ".bus")) == (0o600, 0o700)
    finally:
        os.umask(before)


def test_a_socket_folder_that_is_open_to_others_is_closed(path: Path) -> None:
    (path / ".bus").mkdir(parents=True)
    (path / ".bus").chmod(0o777)
    with claimed(path):
        assert mode(path / ".bus") == 0o700


def test_a_link_in_place_of_the_socket_folder_is_refused(path: Path, tmp_path: Path) -> None:
    path.mkdir()
    (tmp_path / "elsewhere").mkdir()
    (path / ".bus").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UserError, match=r"\.bus: must be a folder that you own, not a link"):
        RunFolder(path).claim()
    assert list((tmp_path / "elsewhere").iterdir()) == []


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a folder away")
def test_another_users_folder_is_refused(tmp_path: Path) -> None:
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    os.chown(foreign, NOBODY, NOBODY)
    with pytest.raises(UserError, match="must be a folder that you own"):
        private_folder(foreign)


# Paths that are too long for a socket.


@pytest.fixture
def short() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="vb") as folder:
        yield Path(folder)


@pytest.fixture
def long_path(tmp_path: Path, short: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run folder with so long a path, in a session whose runtime folder is `short`."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(short))
    return tmp_path / ("long-" * 20)


def test_sockets_of_a_long_path_are_in_the_runtime_folder_and_work(long_path: Path, short: Path) -> None:
    with claimed(long_path) as folder, zmq.Context() as context, context.socket(zmq.PULL) as pull:
        pull.bind(folder.address("subscribe"))
        assert folder.address("subscribe").startswith(f"ipc://{short}/virnucpro-bus-{os.getuid()}/")
        assert {mode(each) for each in (socket_folder(long_path), socket_folder(long_path).parent)} == {0o700}
    assert list(short.iterdir()) == []
    assert not long_path.exists()


def test_two_long_paths_do_not_share_a_socket_folder(long_path: Path) -> None:
    assert socket_folder(long_path) != socket_folder(long_path.with_name("other-" * 20))


@pytest.mark.parametrize("length", range(80, 110))
def test_every_address_of_any_path_can_be_bound(short: Path, monkeypatch: pytest.MonkeyPatch, length: int) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(short))
    path = short / ("x" * (length - len(str(short)) - len("/.bus/")))
    with claimed(path) as folder, zmq.Context() as context, context.socket(zmq.PULL) as pull:
        pull.bind(folder.address("subscribe"))
        assert pull.getsockopt_string(zmq.LAST_ENDPOINT) == folder.address("subscribe")


def test_the_sockets_of_a_path_that_is_not_utf_8_are_in_the_runtime_folder_and_work(
    tmp_path: Path, short: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(short))
    path = tmp_path / os.fsdecode(b"\xff")
    with claimed(path) as folder, zmq.Context() as context, context.socket(zmq.PULL) as pull:
        pull.bind(folder.address("subscribe"))
        assert folder.address("subscribe").startswith(f"ipc://{short}/")


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a folder away")
def test_another_users_folder_in_the_runtime_folder_is_refused(long_path: Path, short: Path) -> None:
    trap = short / f"virnucpro-bus-{os.getuid()}"
    trap.mkdir()
    os.chown(trap, NOBODY, NOBODY)
    with pytest.raises(UserError, match="must be a folder that you own"):
        RunFolder(long_path).claim()


def test_a_link_in_the_runtime_folder_is_refused(long_path: Path, short: Path, tmp_path: Path) -> None:
    (short / f"virnucpro-bus-{os.getuid()}").symlink_to(tmp_path)
    with pytest.raises(UserError, match="must be a folder that you own"):
        RunFolder(long_path).claim()


# What cannot be used.


@pytest.mark.parametrize("below", ["", "below"])
def test_a_file_in_place_of_the_folder_is_refused(path: Path, below: str) -> None:
    path.write_text("mine")
    with pytest.raises(UserError, match="is not a folder; choose another one"):
        RunFolder(path / below).claim()
    assert path.read_text() == "mine"


def test_a_folder_that_cannot_be_written_is_refused() -> None:
    with pytest.raises(UserError, match="cannot be written"):
        RunFolder(Path("/proc/virnucpro-bus")).claim()


def test_a_disk_that_is_full_leaves_nothing_behind(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(UserError, match="cannot be written: No space left on device"):
        RunFolder(path).claim()
    assert not path.exists()


# Where the hub is.


def test_the_addresses_are_read_back_while_the_hub_is_alive(path: Path) -> None:
    with claimed(path) as folder:
        folder.announce(ADDRESSES)
        assert read_addresses(path) == ADDRESSES
        assert [each.name for each in path.iterdir() if each.name.startswith(".bus.json")] == []


def test_without_bus_json_there_is_no_live_run(tmp_path: Path) -> None:
    with pytest.raises(EndedError, match=r"no run is live here \(no bus.json\)"):
        read_addresses(tmp_path)


def test_a_killed_hub_is_distinguished_from_a_live_one(path: Path) -> None:
    path.mkdir()
    (path / "bus.json").write_bytes(msgspec.json.encode(ADDRESSES))
    with pytest.raises(EndedError, match=r"the hub of this run \(pid 4321\) is no longer alive"):
        read_addresses(path)


def test_a_hub_of_another_host_is_taken_at_its_word(path: Path) -> None:
    path.mkdir()
    there = msgspec.structs.replace(ADDRESSES, host="elsewhere")
    (path / "bus.json").write_bytes(msgspec.json.encode(there))
    assert read_addresses(path) == there


def test_the_hub_of_a_container_is_addressed_by_our_own_path_to_the_folder(path: Path) -> None:
    path.mkdir()
    publish, subscribe, history = (
        f"ipc:///container/out/.bus/{name}.sock" for name in ("publish", "subscribe", "history")
    )
    there = BusAddresses("run-1", "c0ffee", 7, publish, subscribe, history)
    (path / "bus.json").write_bytes(msgspec.json.encode(there))
    seen = read_addresses(path)
    assert [seen.publish, seen.subscribe, seen.history] == [
        f"ipc://{path}/.bus/{name}.sock" for name in ("publish", "subscribe", "history")
    ]


def test_without_locks_a_hub_is_alive_as_long_as_it_listens(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(descriptor: int, operation: int) -> None:
        raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with claimed(path) as folder:
        assert not folder.is_lock_enforced
        folder.announce(msgspec.structs.replace(ADDRESSES, history=folder.address("history")))
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as hub:
            hub.bind(f"{path}/.bus/history.sock")
            hub.listen()
            assert read_addresses(path).pid == 4321
        with pytest.raises(EndedError, match="no longer alive"):
            read_addresses(path)


@pytest.mark.parametrize(
    "make",
    [os.mkfifo, os.mkdir, lambda path: os.symlink("/dev/zero", path), lambda path: os.symlink(path, path)],
    ids=["pipe", "folder", "endless", "loop"],
)
def test_something_else_in_place_of_bus_json_is_an_error_at_once(path: Path, make: Callable[[Path], None]) -> None:
    path.mkdir()
    make(path / "bus.json")
    with pytest.raises(AddressError, match=r"bus\.json: cannot be read"):
        read_addresses(path)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}", b'{"run": 1}', b"\xff"])
def test_a_bus_json_that_is_not_ours_is_an_error(path: Path, content: bytes) -> None:
    path.mkdir()
    (path / "bus.json").write_bytes(content)
    with pytest.raises(AddressError, match=r"bus\.json: cannot be read"):
        read_addresses(path)
