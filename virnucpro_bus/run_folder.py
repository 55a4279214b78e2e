"""The run folder: its files, its sockets, its lock, and which process may use them.

DIR/bus.json        addresses of the live hub (0600; removed when the hub ends)
DIR/run.vbus        the capture, which is also the journal
DIR/summary.json    the result of the run
DIR/.bus/           lock and sockets (0700); the sockets are elsewhere where they cannot be here (socket_folder.py)
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
from contextlib import suppress
from pathlib import Path
from typing import Self

import msgspec

from virnucpro_bus.errors import AddressError, UserError
from virnucpro_bus.system.disk import Disk
from virnucpro_bus.system.private_files import private_folder, try_lock
from virnucpro_bus.system.socket_folder import SOCKETS_NAME, make_socket_folder, remove_socket_folder

CAPTURE_NAME = "run.vbus"
SUMMARY_NAME = "summary.json"
BUS_FILE = "bus.json"


class BusAddresses(msgspec.Struct, frozen=True):
    """The content of bus.json: the run id, the hub's process, and the addresses of its sockets.

    `pid` is the hub's process id on `host`.
    """

    run: str
    host: str
    pid: int
    publish: str
    subscribe: str
    history: str


def read_addresses(run_dir: Path) -> BusAddresses:
    """Return the addresses of the hub of `run_dir`. Raises AddressError when no hub is live there."""
    path = run_dir / BUS_FILE
    try:
        addresses = msgspec.json.decode(path.read_bytes(), type=BusAddresses)
    except FileNotFoundError:
        raise AddressError(f"{run_dir}: no run is live here (no {BUS_FILE})") from None
    except (OSError, msgspec.DecodeError) as error:
        raise AddressError(f"{path}: cannot be read: {error}") from None
    if addresses.host == socket.gethostname() and not _is_locked(run_dir):
        raise AddressError(f"{run_dir}: the hub of this run (pid {addresses.pid}) is no longer alive")
    return addresses


def capture_path(path: Path) -> Path:
    """Return the path of the capture at `path`, a capture or a run folder. It need not exist."""
    return path / CAPTURE_NAME if path.is_dir() else path


class RunFolder:
    """Holds the lock of a run folder from `claim` to `release`; only the holder may bind its sockets."""

    def __init__(self, path: Path) -> None:
        """Touch nothing yet; `path` need not exist."""
        self.path = path
        self.capture_path = path / CAPTURE_NAME
        self._sockets: Path | None = None
        self._lock_fd: int | None = None

    def claim(self) -> Self:
        """Make the folder, take its lock, remove stale sockets. Safe to call twice.

        Raises UserError when another process holds the lock, or the folder cannot be made.
        """
        if self._lock_fd is not None:
            return self
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._lock_fd = _lock(private_folder(self.path / SOCKETS_NAME) / "lock")
        except (FileExistsError, NotADirectoryError):
            raise UserError(f"{self.path}: is not a folder; choose another one") from None
        except OSError as error:
            raise UserError(f"{self.path}: cannot be written: {error.strerror}") from None
        try:
            self._sockets = make_socket_folder(self.path)
        except BaseException:
            self.release()
            raise
        return self

    def address(self, name: str) -> str:
        """Return the ipc address of the socket called `name`. Raises RuntimeError unless claimed."""
        if self._sockets is None:
            raise RuntimeError("the run folder is not claimed")
        return f"ipc://{self._sockets}/{name}.sock"

    def announce(self, addresses: BusAddresses) -> None:
        """Write bus.json atomically, readable by this user alone."""
        text = json.dumps(msgspec.to_builtins(addresses), indent=2) + "\n"
        with Disk().replace_atomically(self.path / BUS_FILE, 0o600, durable=False) as file:
            file.write(text.encode())

    def release(self) -> None:
        """Remove bus.json, the sockets and the lock. Safe to call twice."""
        if self._lock_fd is None:
            return
        (self.path / BUS_FILE).unlink(missing_ok=True)
        if self._sockets is not None:
            remove_socket_folder(self._sockets)
            self._sockets = None
        # Unlinked while still locked: a process that waits for it finds its file gone, and opens a new one.
        (self.path / SOCKETS_NAME / "lock").unlink(missing_ok=True)
        with suppress(OSError):  # it contains a file of another program
            (self.path / SOCKETS_NAME).rmdir()
        os.close(self._lock_fd)
        self._lock_fd = None


def _lock(path: Path) -> int:
    """Open and lock `path`, write our pid to it, and return the descriptor that holds the lock."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if (holder := try_lock(descriptor)) is not None:
            os.close(descriptor)
            raise UserError(
                f"{path.parent.parent}: in use by another run (pid {holder}); "
                "choose another folder, or wait for its end"
            )
        if path.exists() and path.stat().st_ino == os.fstat(descriptor).st_ino:
            return descriptor
        os.close(descriptor)  # the holder removed it between open and lock


def _is_locked(run_dir: Path) -> bool:
    try:
        descriptor = os.open(run_dir / ".bus" / "lock", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
