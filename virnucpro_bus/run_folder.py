"""The run folder: its files, its sockets, its lock, and which process may use them.

DIR/bus.json        addresses of the live hub (0600; removed when the hub ends)
DIR/run.vbus        the capture, which is also the journal
DIR/run.fold        the state at the end of a long run, so that its capture need not be folded again (kept_fold.py)
DIR/summary.json    the result of the run
DIR/report.html     the same for people, with `run --report`
DIR/logs/           what attempts, workers and the sampler have printed (the wing logs)
DIR/.bus/           lock and sockets (0700); the sockets are elsewhere where they cannot be here (socket_folder.py)
"""

from __future__ import annotations

import errno
import json
import os
import socket
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from time import sleep
from typing import Self

import msgspec

from virnucpro_bus.errors import AddressError, EndedError, UserError
from virnucpro_bus.files.disk import Disk, draft_of
from virnucpro_bus.files.plain_files import read_plain_file
from virnucpro_bus.files.private_files import private_folder
from virnucpro_bus.files.socket_folder import (
    SOCKETS_NAME,
    is_listening,
    is_usable_as_address,
    make_socket_folder,
    remove_socket_folder,
)
from virnucpro_bus.run_lock import CAPTURE_NAME as CAPTURE_NAME
from virnucpro_bus.run_lock import Evidence, RunLock, Wait, examine_lock, refuse_if_held

FOLD_NAME = "run.fold"
SUMMARY_NAME = "summary.json"
REPORT_NAME = "report.html"
RESULTS_NAME = "results"
ATTEMPTS_NAME = ".attempts"
"""The folder of results that are not committed, beside that of those that are."""
REPORT_MARK = b'<meta name="generator" content="virnucpro-bus">'
"""Near the beginning of every report, by which it is known from a user's own file of that name."""
BUS_FILE = "bus.json"
LOG_FOLDER = "logs"
_MAX_BUS_FILE_BYTES = 1 << 16


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


# Made here, once: two threads that make decoders of one type at the same time can crash in msgspec.
_decode_addresses = msgspec.json.Decoder(BusAddresses).decode


def read_addresses(run_dir: Path) -> BusAddresses:
    """Return the addresses of the hub of `run_dir`, as they are reached from here. Never waits.

    Raises EndedError when no hub is live there, and AddressError when bus.json cannot be read. The hub of another
    machine whose lock is not seen here is taken to be live.
    """
    path = run_dir / BUS_FILE
    try:
        addresses = _decode_addresses(read_plain_file(path, _MAX_BUS_FILE_BYTES))
    except FileNotFoundError:
        raise EndedError(f"{run_dir}: no run is live here (no {BUS_FILE})") from None
    except OSError as error:
        raise AddressError(f"{path}: cannot be read: {error.strerror or error}") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise AddressError(f"{path}: cannot be read: {error}") from None
    evidence, holder = examine_lock(run_dir)
    is_here = addresses.host == socket.gethostname() and not holder.is_elsewhere
    found = msgspec.structs.replace(
        addresses,
        publish=_seen_from(run_dir, addresses.publish),
        subscribe=_seen_from(run_dir, addresses.subscribe),
        history=_seen_from(run_dir, addresses.history),
    )
    if is_here and evidence is not Evidence.HELD and not is_listening(found.history):
        raise EndedError(f"{run_dir}: the hub of this run (pid {addresses.pid}) is no longer alive")
    return found


def announced_addresses(run_dir: Path) -> BusAddresses | None:
    """Return the addresses that a hub has left in `run_dir`, alive or not; None where there are none to read."""
    try:
        return _decode_addresses(read_plain_file(run_dir / BUS_FILE, _MAX_BUS_FILE_BYTES))
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return None


def capture_path(path: Path) -> Path:
    """Return the path of the capture at `path`, a capture or a run folder. It need not exist."""
    return path / CAPTURE_NAME if path.is_dir() else path


def fold_path(capture: Path) -> Path:
    """Return where the fold of a capture is kept: run.fold beside run.vbus."""
    return capture.with_suffix(".fold")


def remove_kept_fold(capture: Path) -> None:
    """Remove the fold that is kept of this capture, if the disk permits it: the capture is about to change."""
    with suppress(OSError):
        fold_path(capture).unlink(missing_ok=True)


def names_of(places: Sequence[Path]) -> list[str]:
    """Return short names of runs: of their folders or files; where two are alike, all as the user wrote them."""
    names = [
        place.absolute().parent.name if place.name == CAPTURE_NAME else place.resolve().name for place in places
    ]
    return names if len(set(names)) == len(names) and all(names) else [str(place) for place in places]


def check_folder(run_dir: Path) -> None:
    """Raise the UserError that `RunFolder.claim` would, as far as it shows without writing. It may be missing."""
    refuse_if_held(run_dir)
    place = run_dir.absolute()
    while not place.exists() and place != place.parent:
        place = place.parent
    if not place.is_dir():
        raise _not_a_folder(run_dir)
    if not os.access(place, os.W_OK | os.X_OK):
        raise UserError(f"{run_dir}: cannot be written: {os.strerror(errno.EACCES)}")


def _not_a_folder(run_dir: Path) -> UserError:
    return UserError(f"{run_dir}: is not a folder; choose another one")


class RunFolder:
    """Holds the lock of a run folder from `claim` to `release`; only the holder may bind its sockets."""

    def __init__(self, path: Path) -> None:
        """Touch nothing yet; `path` need not exist."""
        self.path = path
        self.capture_path = path / CAPTURE_NAME
        self._lock = RunLock(path)
        self._sockets: Path | None = None
        self._is_new = False
        self._is_announced = False

    @property
    def is_lock_enforced(self) -> bool:
        """False after `claim`: the file system has no locks, so only signs of life keep other runs away."""
        return self._lock.is_enforced

    def claim(self, wait: Wait = sleep) -> Self:
        """Make the folder, take its lock, remove what a killed run has left in it. Safe to call twice.

        Raises UserError when another process holds the lock, or the folder cannot be made.
        """
        if self._sockets is not None:
            return self
        try:
            self._is_new = not self.path.exists()
            self.path.mkdir(parents=True, exist_ok=True)
            private_folder(self.path / SOCKETS_NAME)
            self._lock.acquire(wait)
        except (FileExistsError, NotADirectoryError):
            raise _not_a_folder(self.path) from None
        except OSError as error:
            self.release()
            raise UserError(f"{self.path}: cannot be written: {error.strerror}") from None
        try:
            self._sockets = make_socket_folder(self.path)
        except BaseException:
            self.release()
            raise
        for name in (BUS_FILE, SUMMARY_NAME, REPORT_NAME, FOLD_NAME, CAPTURE_NAME):
            with suppress(OSError):
                draft_of(self.path / name).unlink()
        return self

    def address(self, name: str) -> str:
        """Return the ipc address of the socket called `name`. Raises RuntimeError unless claimed."""
        if self._sockets is None:
            raise RuntimeError("the run folder is not claimed")
        return f"ipc://{self._sockets}/{name}.sock"

    def announce(self, addresses: BusAddresses) -> None:
        """Write bus.json atomically, readable by this user alone. Raises OSError."""
        text = json.dumps(msgspec.to_builtins(addresses), indent=2) + "\n"
        with Disk().replace_atomically(self.path / BUS_FILE, 0o600, durable=False) as file:
            file.write(text.encode())
        self._is_announced = True

    def release(self) -> None:
        """Remove the sockets, the lock, and bus.json if it was written here, as far as the disk permits.

        The folder too, if `claim` made it and it is empty. Safe to call twice.
        """
        if self._sockets is not None:
            if self._is_announced:
                with suppress(OSError):
                    (self.path / BUS_FILE).unlink()
            remove_socket_folder(self._sockets)
            self._sockets = None
        self._lock.release()
        with suppress(OSError):
            (self.path / SOCKETS_NAME).rmdir()
        self._remove_if_new()

    def _remove_if_new(self) -> None:
        if self._is_new:
            with suppress(OSError):
                self.path.rmdir()


def _seen_from(run_dir: Path, address: str) -> str:
    """Return an address inside the run folder by our own path to it: a container, for example, has another one."""
    inside, socket_path = run_dir.absolute() / SOCKETS_NAME, Path(address.removeprefix("ipc://"))
    if socket_path.parent.name != SOCKETS_NAME or not is_usable_as_address(inside):
        return address
    return f"ipc://{inside / socket_path.name}"
