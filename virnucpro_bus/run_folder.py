"""The run folder: its files, its sockets, its lock, and which process may use them.

DIR/bus.json        addresses of the live hub (0600; removed when the hub ends)
DIR/run.vbus        the capture, which is also the journal
DIR/summary.json    the result of the run
DIR/.bus/           lock and sockets (0700); the sockets are elsewhere when the path would be too long
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import socket
import tempfile
from pathlib import Path
from typing import Self

import msgspec

from virnucpro_bus.errors import AddressError, UserError
from virnucpro_bus.system.disk import Disk
from virnucpro_bus.system.private_files import private_folder, try_lock

CAPTURE_NAME = "run.vbus"
SUMMARY_NAME = "summary.json"
BUS_FILE = "bus.json"
_MAX_SOCKET_FOLDER_BYTES = 107 - len("/subscribe.sock")
"""The kernel limits the path of a local socket to 107 bytes; this is the longest name of a socket."""


class BusAddresses(msgspec.Struct, frozen=True):
    """The content of bus.json: the run id, the hub's process, and the addresses of its sockets.

    `pid` is the hub's process id on `host`, the machine. `run_host` is the host that the run's own events name:
    that of its first session; "": the same as `host`.
    """

    run: str
    host: str
    pid: int
    publish: str
    subscribe: str
    history: str
    run_host: str = ""
    has_launcher: bool = False
    """Whether the hub is that of a run with a launcher, which `run --resume` continues."""


def socket_folder(run_dir: Path) -> Path:
    """Return the folder for the sockets of `run_dir`: inside it, or else below the user's runtime folder.

    Raises UserError when the path of either is too long for an address.
    """
    inside = run_dir.absolute() / ".bus"
    digest = hashlib.sha256(os.fsencode(run_dir.resolve())).hexdigest()[:16]
    bases = (os.environ.get("XDG_RUNTIME_DIR"), tempfile.gettempdir())
    outside = [
        Path(base) / f"virnucpro-bus-{os.getuid()}" / digest for base in bases if base and os.path.isdir(base)
    ]
    for folder in (inside, *outside):
        if _is_usable_as_address(folder):
            return folder
    raise UserError(f"{run_dir}: the path is too long for local sockets; set XDG_RUNTIME_DIR to a short one")


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
        self._is_announced = False

    def claim(self) -> Self:
        """Make the folder, take its lock, remove stale sockets. Safe to call twice.

        Raises UserError when another process holds the lock, or the folder cannot be made.
        """
        if self._lock_fd is not None:
            return self
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            sockets = socket_folder(self.path)
            if sockets.parent != self.path.absolute():
                # Other users may write to the folder of temporary files: ours must be private from its top.
                private_folder(sockets.parent)
            self._lock_fd = _lock(private_folder(self.path / ".bus") / "lock")
        except (FileExistsError, NotADirectoryError):
            raise UserError(f"{self.path}: is not a folder; choose another one") from None
        except OSError as error:
            raise UserError(f"{self.path}: cannot be written: {error.strerror}") from None
        self._sockets = private_folder(sockets)
        for stale in self._sockets.glob("*.sock"):
            stale.unlink()
        return self

    def left_behind(self) -> BusAddresses | None:
        """Return the addresses of a hub that was killed here; None: the last one has ended in order.

        The folder must be claimed.
        """
        try:
            return msgspec.json.decode((self.path / BUS_FILE).read_bytes(), type=BusAddresses)
        except (OSError, msgspec.DecodeError):
            return None

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
        self._is_announced = True

    def release(self) -> None:
        """Remove the sockets, the lock, and bus.json if it was written here. Safe to call twice."""
        if self._lock_fd is None or self._sockets is None:
            return
        if self._is_announced:
            (self.path / BUS_FILE).unlink(missing_ok=True)
        for stale in self._sockets.glob("*.sock"):
            stale.unlink(missing_ok=True)
        # Unlinked while still locked: a process that waits for it finds its file gone, and opens a new one.
        (self.path / ".bus" / "lock").unlink(missing_ok=True)
        for folder in (self._sockets, self.path / ".bus"):
            try:
                folder.rmdir()
            except OSError:
                pass  # it was removed just before, or contains a file of another program
        os.close(self._lock_fd)
        self._lock_fd = None


def _is_usable_as_address(folder: Path) -> bool:
    """Whether the path is short enough, and UTF-8, as ZeroMQ requires."""
    name = os.fsencode(folder)
    return len(name) <= _MAX_SOCKET_FOLDER_BYTES and name.decode(errors="replace").encode() == name


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
