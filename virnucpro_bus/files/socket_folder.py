"""Where a folder's local sockets go: into its own `.bus`, or else below the user's runtime or temporary folder.

Elsewhere they go when the path is too long or not UTF-8, and where the file system has no sockets.
"""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from virnucpro_bus.errors import UserError
from virnucpro_bus.files.private_files import private_folder

SOCKETS_NAME = ".bus"
_MAX_FOLDER_BYTES = 107 - len("/subscribe.sock")
"""The kernel limits the path of a local socket to 107 bytes; this is the longest name of a socket."""
_TRIES = 10
_RUNTIME_FOLDERS = Path("/run/user")
"""Where systemd makes the runtime folder of each user, named by number."""
_SET_A_FOLDER = "set XDG_RUNTIME_DIR to a folder with a short path on a local disk"


def socket_folder(run_dir: Path) -> Path:
    """Return the first folder that could hold the sockets of `run_dir`. Raises UserError when there is none."""
    folder = next(_usable_folders(run_dir), None)
    if folder is None:
        raise UserError(f"{run_dir}: the path is too long for local sockets; {_SET_A_FOLDER}")
    return folder


def make_socket_folder(run_dir: Path) -> Path:
    """Make the folder for the sockets of `run_dir`, of this user alone, and return it; remove stale sockets.

    A folder whose file system has no sockets is passed over. Raises UserError when none can be used.
    """
    reason = "the path is too long for local sockets"
    for folder in _usable_folders(run_dir):
        try:
            _make(folder, is_inside=folder.parent == run_dir.absolute())
            remove_sockets(folder)
            _try_socket(folder)
        except OSError as error:
            reason = f"no local socket can be made in {folder}: {error.strerror}"
            remove_socket_folder(folder)
        else:
            return folder
    raise UserError(f"{run_dir}: {reason}; {_SET_A_FOLDER}")


def remove_socket_folder(folder: Path) -> None:
    """Remove a folder of `make_socket_folder` and its sockets, as far as possible; files of others stay."""
    remove_sockets(folder)
    with suppress(OSError):
        folder.rmdir()
        if folder.name != SOCKETS_NAME:
            folder.parent.rmdir()  # shared by the user's runs; the last one removes it


def remove_sockets(folder: Path) -> None:
    """Remove the sockets in `folder`, as far as possible."""
    with suppress(OSError):
        for path in folder.glob("*.sock"):
            path.unlink()


def is_usable_as_address(folder: Path) -> bool:
    """Whether a socket in it can be addressed: its path is short, and the same in UTF-8, as ZeroMQ sends it."""
    try:
        name = str(folder).encode()
    except UnicodeEncodeError:
        return False
    return name == os.fsencode(folder) and len(name) <= _MAX_FOLDER_BYTES


def is_listening(address: str) -> bool:
    """Whether a process listens at an ipc address, as far as can be seen from here. Never waits."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(address.removeprefix("ipc://"))
        except BlockingIOError:
            return True  # it has not accepted the connections before ours yet
        except (OSError, ValueError):
            return False
    return True


def _usable_folders(run_dir: Path) -> Iterator[Path]:
    """Yield the folders that can be part of an address, the best first; look for others only when asked to."""
    inside = run_dir.absolute() / SOCKETS_NAME
    if is_usable_as_address(inside):
        yield inside
    import hashlib  # takes long to load, and few folders need it

    digest = hashlib.sha256(os.fsencode(run_dir.resolve())).hexdigest()[:16]
    for base in _bases():
        folder = base / f"virnucpro-bus-{os.getuid()}" / digest
        if is_usable_as_address(folder):
            yield folder


def _bases() -> Iterator[Path]:
    # Also for a process whose environment does not name it, as under cron: workers look where the last hub was.
    runtime = Path(os.environ.get("XDG_RUNTIME_DIR") or _RUNTIME_FOLDERS / str(os.getuid()))
    if runtime.is_dir():
        yield runtime
    with suppress(FileNotFoundError):  # no temporary folder can be written
        yield Path(tempfile.gettempdir())


def _make(folder: Path, *, is_inside: bool) -> None:
    """Make the folder, mode 0700; outside the run folder, where others may write, from its parent on."""
    for _ in range(_TRIES):
        if not is_inside:
            private_folder(folder.parent)
        try:
            private_folder(folder)
        except FileNotFoundError:
            continue  # another run has just removed the parent, which was empty
        return


def _try_socket(folder: Path) -> None:
    """Make a socket in `folder` and remove it. Raises OSError."""
    path = folder / "try.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as trial:
        try:
            trial.bind(os.fsencode(path))
        finally:
            with suppress(OSError):
                path.unlink()
