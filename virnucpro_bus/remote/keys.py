"""Who may watch from another machine: the key pair of this user here, and the list of clients that are let in.

${XDG_CONFIG_HOME:-~/.config}/virnucpro-bus/    (0700)
    identity.key    the secret key (0600)
    clients         one line a client: public key, space, name (0600)

A key is 32 bytes, which zmq takes as they are, and 64 hexadecimal characters wherever a person meets it: zmq's
own text form does not survive a shell.
"""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import zmq
from zmq.utils import z85

from virnucpro_bus.errors import UserError
from virnucpro_bus.system.disk import Disk
from virnucpro_bus.system.private_files import (
    OTHERS_AT_ALL,
    OTHERS_WRITE,
    private_parent,
    read_private,
    write_private,
)
from virnucpro_bus.text import visible

NAME_CHARACTERS = 64
_HEX_KEY = re.compile(r"[0-9a-fA-F]{64}")


@dataclass(frozen=True)
class Identity:
    """A CURVE key pair, 32 bytes each."""

    public: bytes
    secret: bytes = field(repr=False)


def config_folder() -> Path:
    """Where this user's keys are. Raises UserError when there is no home folder to have them in."""
    configured = os.environ.get("XDG_CONFIG_HOME", "")
    try:
        # A relative path is to be ignored, says the XDG specification.
        base = Path(configured) if os.path.isabs(configured) else Path.home() / ".config"
    except RuntimeError:
        raise UserError("there is no home folder here; set XDG_CONFIG_HOME to a folder for the keys") from None
    return base / "virnucpro-bus"


def identity_path() -> Path:
    """The file of the secret key. Raises UserError as `config_folder` does, and so do all below."""
    return config_folder() / "identity.key"


def parse_key(text: str) -> bytes:
    """The key that is written as 64 hexadecimal characters. Raises UserError when it is none."""
    if not _HEX_KEY.fullmatch(text):
        raise UserError(
            f"{visible(text[:80])}: is no key, which has 64 hexadecimal characters; its owner sees it with: "
            "virnucpro-bus keys list"
        )
    return bytes.fromhex(text)


def new_identity() -> Identity:
    """Make and keep this user's key pair. Raises UserError when there is one already, or it cannot be kept."""
    path = identity_path()
    public, secret = (z85.decode(key) for key in zmq.curve_keypair())
    private_parent(path)
    try:
        write_private(path, f"{secret.hex()}\n")
    except FileExistsError:
        raise UserError(
            f"{path}: there is a key already, which others may rely on; to replace it, remove that file first"
        ) from None
    except OSError as error:
        raise UserError(f"{path}: cannot be written: {error.strerror}") from None
    return Identity(public, secret)


def load_identity() -> Identity:
    """This user's key pair. Raises UserError when there is none, or others could have read it."""
    path = identity_path()
    try:
        text = read_private(path, OTHERS_AT_ALL).strip()
    except FileNotFoundError:
        raise UserError(f"{path}: there is no key yet; make one with: virnucpro-bus keys new") from None
    if not _HEX_KEY.fullmatch(text):
        raise UserError(
            f"{path}: holds no secret key; bring the right file back, or remove it and make another key with: "
            "virnucpro-bus keys new"
        )
    secret = bytes.fromhex(text)
    return Identity(z85.decode(zmq.curve_public(z85.encode(secret))), secret)


class ClientList:
    """The clients that are let in, on disk. A relay asks `current` again and again. One thread."""

    def __init__(self, path: Path | None = None) -> None:
        """`path` None is this user's own list. Reads nothing yet."""
        self.path = path or config_folder() / "clients"
        self.problem: str | None = None
        """Why the list cannot be used, in one line; None when it can, or when there is none yet."""
        self._allowed: Mapping[bytes, str] = {}
        self._seen: object = None

    def current(self) -> Mapping[bytes, str]:
        """Names by public key as of now; empty when there is a `problem`. Cheap while nothing changes."""
        # Taken before the file is read, so that a change meanwhile is seen the next time.
        seen = self._look()
        if seen is None or seen != self._seen:
            try:
                self._allowed, self.problem = MappingProxyType(self._load()), None
            except UserError as error:
                self._allowed, self.problem = {}, str(error)
            self._seen = seen
        return self._allowed

    def allow(self, key: bytes, name: str | None = None) -> str:
        """Let a client in; returns its name (`name` None: the one that it has, or the key's first characters).

        Raises UserError when the name is taken or is none, or the list cannot be used or written.
        """
        with self._locked():
            allowed = self._load()
            if name is None:
                name = allowed.get(key, key.hex()[:8])
            _check_name(name)
            if allowed.get(key, name) != name:
                raise UserError(f"this key is allowed already, as {allowed[key]}; to rename it, revoke it first")
            if key not in allowed and name in allowed.values():
                raise UserError(f"{name}: another client has this name; choose another one, or revoke that first")
            self._save({**allowed, key: name})
        return name

    def revoke(self, name_or_key: str) -> str:
        """Let a client in no more; returns its name.

        Raises UserError when there is no such client, or the list cannot be used or written.
        """
        with self._locked():
            allowed = self._load()
            for key, name in allowed.items():
                if name_or_key == name or name_or_key.lower() == key.hex():
                    self._save({each: allowed[each] for each in allowed if each != key})
                    return name
        raise UserError(
            f"{visible(name_or_key[:80])}: no client has this name or key; see all with: virnucpro-bus keys list"
        )

    def _look(self) -> object:
        """What changes whenever the file does, or who may change it; None when it cannot be looked at."""
        try:
            folder, file = self.path.parent.stat(), self.path.lstat()
        except OSError:
            return None
        # The time of change too: another mode or owner does not touch the time of modification.
        return folder.st_mode, folder.st_uid, file.st_ino, file.st_size, file.st_mtime_ns, file.st_ctime_ns

    def _load(self) -> dict[bytes, str]:
        """The list in the file; empty when there is none. Raises UserError when it cannot be used."""
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
                raise UserError(f"{self.path}: line {number} is not a key, a space and a name; mend it") from None
            # Revoking one of two equal ones would leave the other.
            if public in allowed or name in allowed.values():
                raise UserError(f"{self.path}: line {number} repeats a key or a name; remove it")
            allowed[public] = name
        return allowed

    def _save(self, allowed: Mapping[bytes, str]) -> None:
        """Put another list in the file's place in one step. The lock is held."""
        with Disk().replace_atomically(self.path, 0o600) as file:
            file.writelines(f"{key.hex()} {name}\n".encode() for key, name in allowed.items())

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """One at a time reads the list and writes it again. Raises UserError for what the system refuses."""
        private_parent(self.path)
        # A file of its own: the list is replaced, and a network file system does not lock folders.
        lock_path = self.path.with_name(f".{self.path.name}.lock")
        try:
            lock = os.open(lock_path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX)
                yield
            finally:
                os.close(lock)
        except OSError as error:
            raise UserError(f"{self.path}: cannot be written: {error.strerror}") from None


def _check_name(name: str) -> None:
    """Raises UserError unless `name` fits a line and a screen, and cannot be taken for a key."""
    if not 0 < len(name) <= NAME_CHARACTERS or name != visible(name).strip() or _HEX_KEY.fullmatch(name):
        raise UserError(
            f"{visible(name[:80])}: is no name for a client; choose {NAME_CHARACTERS} visible characters at most"
        )
