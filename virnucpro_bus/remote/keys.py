"""The keys for watching from another machine: this user's own key pair, and the list of clients that may connect.

${XDG_CONFIG_HOME:-~/.config}/virnucpro-bus/    (0700)
    identity.key    the secret key (0600)
    clients         one line for each client: public key, space, name (0600)

A key is 32 bytes for zmq, and 64 hexadecimal characters wherever a person sees it: zmq's own text form contains
characters that a shell interprets.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from virnucpro_bus.errors import UserError
from virnucpro_bus.files.disk import Disk
from virnucpro_bus.files.locks import try_lock
from virnucpro_bus.files.private_files import (
    OTHERS_AT_ALL,
    OTHERS_WRITE,
    private_parent,
    read_private,
    write_private,
)
from virnucpro_bus.files.user_folders import config_folder
from virnucpro_bus.text import visible

NAME_CHARACTERS = 64
_HEX_KEY = re.compile(r"[0-9a-fA-F]{64}")


@dataclass(frozen=True)
class Identity:
    """A CURVE key pair, 32 bytes each."""

    public: bytes
    secret: bytes = field(repr=False)


def identity_path() -> Path:
    """Return the file of the secret key. Raises UserError as `config_folder` does."""
    return config_folder() / "identity.key"


def parse_key(text: str) -> bytes:
    """Parse a key of 64 hexadecimal characters. Raises UserError for any other text."""
    if not _HEX_KEY.fullmatch(text):
        raise UserError(
            f"{visible(text[:80])}: is not a key: expected 64 hexadecimal characters; its owner can show it with: "
            "virnucpro-bus keys list"
        )
    return bytes.fromhex(text)


def new_identity() -> Identity:
    """Create this user's key pair. Raises UserError when there is one already, or it cannot be written."""
    import zmq  # takes long to load, and most commands need no keys
    from zmq.utils import z85

    path = identity_path()
    public, secret = (z85.decode(key) for key in zmq.curve_keypair())
    private_parent(path)
    try:
        write_private(path, f"{secret.hex()}\n")
    except FileExistsError:
        raise UserError(
            f"{path}: already contains a key, which other machines may use; to replace it, remove that file first"
        ) from None
    except OSError as error:
        raise UserError(f"{path}: cannot be written: {error.strerror}") from None
    return Identity(public, secret)


def load_identity() -> Identity:
    """Load this user's key pair. Raises UserError when there is no key, or other users could have read it."""
    path = identity_path()
    try:
        text = read_private(path, OTHERS_AT_ALL).strip()
    except FileNotFoundError:
        raise UserError(f"{path}: does not exist; create a key pair with: virnucpro-bus keys new") from None
    if not _HEX_KEY.fullmatch(text):
        raise UserError(
            f"{path}: is not a secret key; restore the file, or remove it and create another key pair with: "
            "virnucpro-bus keys new"
        )
    import zmq
    from zmq.utils import z85

    secret = bytes.fromhex(text)
    return Identity(z85.decode(zmq.curve_public(z85.encode(secret))), secret)


class ClientList:
    """The file of the clients that may connect, read again whenever it changes. Not thread-safe."""

    def __init__(self, path: Path | None = None) -> None:
        """`path` None is this user's own list. Reads nothing yet."""
        self.path = path or config_folder() / "clients"
        self.problem: str | None = None
        """Why the list cannot be used, in one line; None when it can, and when it does not exist."""
        self._allowed: Mapping[bytes, str] = {}
        self._loaded_state: object = None

    def current(self) -> Mapping[bytes, str]:
        """Return the current names by public key; empty when there is a `problem`. Cheap while nothing changes."""
        # Read before the file's contents, so that a change in between is noticed at the next call.
        state = self._file_state()
        if state is None or state != self._loaded_state:
            try:
                self._allowed, self.problem = MappingProxyType(self._load()), None
            except UserError as error:
                self._allowed, self.problem = {}, str(error)
            self._loaded_state = state
        return self._allowed

    def allow(self, key: bytes, name: str | None = None) -> str:
        """Add a client; returns its name. `name` None keeps its present name, or takes the key's first characters.

        Raises UserError when the name is in use or invalid, or the list cannot be used or written.
        """
        with self._locked():
            allowed = self._load()
            if name is None:
                name = allowed.get(key, key.hex()[:8])
            _check_name(name)
            if allowed.get(key, name) != name:
                raise UserError(f"{key.hex()}: allowed already, as {allowed[key]}; to rename it, revoke it first")
            if key not in allowed and name in allowed.values():
                raise UserError(
                    f"{name}: is the name of another client; choose another name, or revoke that client first"
                )
            self._save({**allowed, key: name})
        return name

    def revoke(self, name_or_key: str) -> str:
        """Remove a client; returns its name.

        Raises UserError when there is no such client, or the list cannot be used or written.
        """
        with self._locked():
            allowed = self._load()
            for key, name in allowed.items():
                if name_or_key == name or name_or_key.lower() == key.hex():
                    self._save({each: allowed[each] for each in allowed if each != key})
                    return name
        raise UserError(
            f"{visible(name_or_key[:80])}: no client has this name or key; list them with: virnucpro-bus keys list"
        )

    def _file_state(self) -> object:
        """Return a value that changes with the file and its permissions; None when it cannot be read."""
        try:
            folder, file = self.path.parent.stat(), self.path.lstat()
        except OSError:
            return None
        # Also the time of status change: another mode or owner does not change the time of modification.
        return folder.st_mode, folder.st_uid, file.st_ino, file.st_size, file.st_mtime_ns, file.st_ctime_ns

    def _load(self) -> dict[bytes, str]:
        """Read the file; empty when it does not exist. Raises UserError when it cannot be used."""
        try:
            lines = read_private(self.path, OTHERS_WRITE).splitlines()
        except FileNotFoundError:
            return {}
        allowed: dict[bytes, str] = {}
        for number, line in enumerate(lines, 1):
            key, _, name = line.partition(" ")
            try:
                _check_name(name)
                public = parse_key(key)
            except UserError:
                raise UserError(f"{self.path}: line {number} is not a key, a space, a name; correct it") from None
            # Revoking one of two equal lines would leave the other.
            if public in allowed or name in allowed.values():
                raise UserError(f"{self.path}: line {number} repeats a key or a name; remove it")
            allowed[public] = name
        return allowed

    def _save(self, allowed: Mapping[bytes, str]) -> None:
        """Replace the file atomically. The caller holds the lock."""
        with Disk().replace_atomically(self.path, 0o600) as file:
            file.writelines(f"{key.hex()} {name}\n".encode() for key, name in allowed.items())

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Hold the lock under which the list is read and replaced. Raises UserError when the system refuses."""
        private_parent(self.path)
        # A file of its own: the list is replaced, and a network file system does not lock folders.
        lock_path = self.path.with_name(f".{self.path.name}.lock")
        try:
            lock = os.open(lock_path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            try:
                try_lock(lock, wait=True)  # without locks, two changes at the same moment may lose one
                yield
            finally:
                os.close(lock)
        except OSError as error:
            raise UserError(f"{self.path}: cannot be written: {error.strerror}") from None


def _check_name(name: str) -> None:
    """Check that `name` is one visible line and cannot be mistaken for a key. Raises UserError."""
    if not 0 < len(name) <= NAME_CHARACTERS or name != visible(name).strip() or _HEX_KEY.fullmatch(name):
        raise UserError(
            f"{visible(name[:80])}: is not a name for a client: expected 1 to {NAME_CHARACTERS} visible characters"
        )
