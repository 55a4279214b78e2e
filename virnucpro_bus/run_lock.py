"""The lock of a run folder: at most one process uses the folder, whichever host it runs on.

The kernel's lock on .bus/lock decides wherever it works: across containers of one machine, and on most shared
disks. Where the file system has no locks, or keeps them on one host only, a sign of life decides: the holder
touches the file once a second. A holder of another machine that shows no sign for five seconds is gone. Clocks are
not compared: those of two hosts may differ.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from enum import Enum
from pathlib import Path
from time import sleep
from typing import NamedTuple

from virnucpro_bus.errors import UserError
from virnucpro_bus.files.locks import Lock, read_holder, try_lock, write_holder

LOCK_NAME = ".bus/lock"
CAPTURE_NAME = "run.vbus"
SIGN_SECONDS = 1.0
"""Time between two signs of life."""
PROOF_SECONDS = 5.0
"""A holder without a sign of life for this long is gone."""
_STEP_SECONDS = 0.2
_TRIES = 2
"""How often a lock that is held is tried again."""
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_OPEN_FLAGS = os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW

Wait = Callable[[float], object]
"""Waits for some seconds: `sleep`, except in tests."""


class Holder(NamedTuple):
    """The process that holds a run folder, as it wrote itself into the lock's file. All empty: unknown."""

    pid: str = ""
    host: str = ""
    boot: str = ""
    """Identifies the machine since its start; two machines may have one host name."""

    @property
    def is_elsewhere(self) -> bool:
        """Whether it is a process of another machine, whose locks may not be seen here."""
        return bool(self.host) and (self.host, self.boot) != _this_machine()

    def __str__(self) -> str:
        where = f" on {self.host}" if self.is_elsewhere else ""
        return f"pid {self.pid or 'unknown'}{where}"


class Evidence(Enum):
    """What a lock shows about the process that wrote itself into it."""

    HELD = "held"
    """It is alive."""
    FREE = "free"
    """It has ended."""
    UNKNOWN = "unknown"
    """Locks show nothing here: another machine's lock, no locks, or no permission to look."""


class RunLock:
    """Holds a run folder from `acquire` to `release`. A thread gives the signs of life. For one thread."""

    def __init__(self, run_dir: Path) -> None:
        """Touch nothing yet."""
        self.is_enforced = True
        """False: the file system has no locks, so only signs of life keep another run away. Set by `acquire`."""
        self._run_dir = run_dir
        self._path = run_dir / LOCK_NAME
        self._descriptor = -1
        self._released = threading.Event()

    def acquire(self, wait: Wait = sleep) -> None:
        """Take the lock; its folder must exist. Raises UserError when another process holds it, and OSError."""
        while True:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | _OPEN_FLAGS, 0o600)
            try:
                if self._take(descriptor, wait):
                    break
            except BaseException as error:
                if isinstance(error, OSError):
                    self._remove()  # locked, but the disk is full
                os.close(descriptor)
                raise
            os.close(descriptor)  # the holder removed it between open and lock
        self._descriptor = descriptor
        self._released = threading.Event()
        # A daemon: a file system that hangs must not keep the process.
        threading.Thread(target=self._give_signs, args=(self._released,), name="sign of life", daemon=True).start()

    def release(self) -> None:
        """Remove the lock's file. Safe to call twice."""
        if self._descriptor < 0:
            return
        self._released.set()
        # Unlinked while still locked: a process that waits for it finds its file gone, and opens a new one.
        self._remove()
        os.close(self._descriptor)
        self._descriptor = -1

    def _remove(self) -> None:
        with suppress(OSError):
            self._path.unlink()

    def _take(self, descriptor: int, wait: Wait) -> bool:
        """Lock the open file and write our name into it. False: it is no longer the file at our path."""
        lock = try_lock(descriptor)
        for _ in range(_TRIES):
            if lock is Lock.HELD:
                wait(_STEP_SECONDS)  # a viewer that examines the lock holds it for a moment
                lock = try_lock(descriptor)
        before = _parse(read_holder(descriptor))
        is_doubtful = before.pid != "" and (lock is Lock.UNSUPPORTED or before.is_elsewhere)
        if lock is Lock.HELD or (is_doubtful and shows_life(self._run_dir, wait)):
            raise _refusal(self._run_dir, before)
        own = _own_name()
        write_holder(descriptor, own)
        if is_doubtful:
            # Another process may have found the same dead holder: the last one that wrote its name stays.
            wait(2 * SIGN_SECONDS)
            if (name := read_holder(descriptor)) != own:
                raise _refusal(self._run_dir, _parse(name))
        self.is_enforced = lock is Lock.TAKEN
        return self._path.exists() and os.path.samestat(self._path.stat(), os.fstat(descriptor))

    def _give_signs(self, released: threading.Event) -> None:
        while not released.wait(SIGN_SECONDS):
            with suppress(OSError):
                os.utime(self._path)


def examine_lock(run_dir: Path) -> tuple[Evidence, Holder]:
    """Return what the lock of a run folder shows, and the holder that is written in it. Never waits."""
    try:
        descriptor = os.open(run_dir / LOCK_NAME, os.O_RDONLY | _OPEN_FLAGS)
    except FileNotFoundError:
        return Evidence.FREE, Holder()
    except OSError:
        return Evidence.UNKNOWN, Holder()
    try:
        lock, holder = try_lock(descriptor, shared=True), _parse(read_holder(descriptor))
    except OSError:
        return Evidence.UNKNOWN, Holder()
    finally:
        os.close(descriptor)
    if lock is Lock.HELD:
        return Evidence.HELD, holder
    is_certain = lock is Lock.TAKEN and not holder.is_elsewhere
    return Evidence.FREE if is_certain else Evidence.UNKNOWN, holder


def refuse_if_held(run_dir: Path, wait: Wait = sleep) -> None:
    """Raise the UserError that `RunLock.acquire` would, without taking the lock."""
    evidence, holder = examine_lock(run_dir)
    is_doubtful = evidence is Evidence.UNKNOWN and holder.pid != ""
    if evidence is Evidence.HELD or (is_doubtful and shows_life(run_dir, wait)):
        raise _refusal(run_dir, holder)


def shows_life(run_dir: Path, wait: Wait = sleep) -> bool:
    """Return whether the folder's lock or capture changes within five seconds; waits no longer than for that."""
    before = signs_of_life(run_dir)
    for _ in range(round(PROOF_SECONDS / _STEP_SECONDS)):
        wait(_STEP_SECONDS)
        if signs_of_life(run_dir) != before:
            return True
    return False


def signs_of_life(run_dir: Path) -> list[tuple[int, int]]:
    """Return what changes at least once a second while a process holds the folder: to be compared, no more."""
    signs = []
    for name in (LOCK_NAME, CAPTURE_NAME):
        # Opened, because only then do network file systems ask their server for the present state.
        with suppress(OSError):
            descriptor = os.open(run_dir / name, os.O_RDONLY | _OPEN_FLAGS)
            try:
                status = os.fstat(descriptor)
                signs.append((status.st_size, status.st_mtime_ns))
            finally:
                os.close(descriptor)
    return signs


def _refusal(run_dir: Path, holder: Holder) -> UserError:
    return UserError(f"{run_dir}: in use by another run ({holder}); choose another folder, or wait for its end")


def _parse(text: str) -> Holder:
    return Holder(*text.split("\n")[:3])


def _own_name() -> str:
    return "\n".join((str(os.getpid()), *_this_machine()))


def _this_machine() -> tuple[str, str]:
    try:
        boot = _BOOT_ID.read_text().strip()
    except OSError:
        boot = ""
    return socket.gethostname(), boot
