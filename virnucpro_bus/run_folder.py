"""A run folder on disk: its files, its sockets, its lock. What is where, and who may use it.

DIR/bus.json        addresses of the live hub (0600; gone when the hub has ended)
DIR/run.vbus        the capture, which is the journal too
DIR/summary.json    what came of the run
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
# The kernel's limit for the path of a local socket is 107 bytes; this is the longest name we put there.
_LONGEST_SOCKET_FOLDER = 107 - len("/subscribe.sock")


class BusAddresses(msgspec.Struct, frozen=True):
    """What bus.json holds. `pid` is the hub's process on `host`."""

    run: str
    host: str
    pid: int
    publish: str
    subscribe: str
    history: str


def socket_folder(run_dir: Path) -> Path:
    """Where the sockets of `run_dir` go: inside it, or below the user's runtime folder if that can be no address.

    Raises UserError when neither can.
    """
    inside = run_dir.absolute() / ".bus"
    digest = hashlib.sha256(os.fsencode(run_dir.resolve())).hexdigest()[:16]
    bases = (os.environ.get("XDG_RUNTIME_DIR"), tempfile.gettempdir())
    outside = [
        Path(base) / f"virnucpro-bus-{os.getuid()}" / digest for base in bases if base and os.path.isdir(base)
    ]
    for folder in (inside, *outside):
        if _may_be_an_address(folder):
            return folder
    raise UserError(f"{run_dir}: the path is too long for local sockets; set XDG_RUNTIME_DIR to a short one")


def _may_be_an_address(folder: Path) -> bool:
    """Whether it is short enough, and ZeroMQ takes it: only UTF-8."""
    name = os.fsencode(folder)
    return len(name) <= _LONGEST_SOCKET_FOLDER and name.decode(errors="replace").encode() == name


def read_addresses(run_dir: Path) -> BusAddresses:
    """The addresses of the hub that serves `run_dir`. Raises AddressError when no hub is alive there."""
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
    """The capture at `path`: the file itself, or the one in a run folder. It need not exist."""
    return path / CAPTURE_NAME if path.is_dir() else path


class RunFolder:
    """Holds the lock on a run folder from `claim` to `release`; only the holder may bind its sockets."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.capture_path = path / CAPTURE_NAME
        self._sockets: Path | None = None
        self._lock_fd: int | None = None

    def claim(self) -> Self:
        """Make the folder, take its lock, clear stale sockets. Raises UserError when another process holds it.

        Safe to call twice.
        """
        if self._lock_fd is not None:
            return self
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            sockets = socket_folder(self.path)
            if sockets.parent != self.path.absolute():
                # Where others may write too: what is above our folder must be ours as well.
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

    def address(self, name: str) -> str:
        """The ipc address of the socket called `name`; valid while claimed."""
        if self._sockets is None:
            raise RuntimeError("the run folder is not claimed")
        return f"ipc://{self._sockets}/{name}.sock"

    def announce(self, addresses: BusAddresses) -> None:
        """Write bus.json in one step, readable by the owner alone."""
        text = json.dumps(msgspec.to_builtins(addresses), indent=2) + "\n"
        with Disk().replace_atomically(self.path / BUS_FILE, 0o600) as file:
            file.write(text.encode())

    def release(self) -> None:
        """Take back bus.json, the sockets and the lock. Safe to call twice."""
        if self._lock_fd is None or self._sockets is None:
            return
        (self.path / BUS_FILE).unlink(missing_ok=True)
        for stale in self._sockets.glob("*.sock"):
            stale.unlink(missing_ok=True)
        # Unlinked while still locked: whoever waits for it notices that its file is gone and opens a new one.
        (self.path / ".bus" / "lock").unlink(missing_ok=True)
        for folder in (self._sockets, self.path / ".bus"):
            try:
                folder.rmdir()
            except OSError:
                pass  # removed a line above, or somebody else's file is in it
        os.close(self._lock_fd)
        self._lock_fd = None


def _lock(path: Path) -> int:
    """Open and lock `path`, with our pid in it; returns the descriptor that holds the lock."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if (holder := try_lock(descriptor)) is not None:
            os.close(descriptor)
            raise UserError(f"{path.parent.parent}: in use by another run (pid {holder})")
        if path.exists() and path.stat().st_ino == os.fstat(descriptor).st_ino:
            return descriptor
        os.close(descriptor)  # its holder removed it between our two calls


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
