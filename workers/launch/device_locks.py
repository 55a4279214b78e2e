"""Locks on GPUs: at most one run of a user works on a GPU, identified by its UUID, at a time."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Self
from urllib.parse import quote

from virnucpro_bus.device_keys import device_title, gpus_of
from virnucpro_bus.devices import display_id, has_gpu
from virnucpro_bus.errors import UserError
from virnucpro_bus.events.vocabulary import Device
from virnucpro_bus.files.locks import NO_LOCKS, Lock, read_holder, try_lock, write_holder
from virnucpro_bus.files.private_files import private_folder
from virnucpro_bus.system.console import say

_UNLOCKED = "another run may use the same GPUs; set XDG_RUNTIME_DIR to a folder on a local disk"


def locks_folder() -> Path:
    """Return the folder of this user's locks, below XDG_RUNTIME_DIR or else the folder for temporary files.

    It is created if missing. Raises UserError when it cannot be created, or does not belong to the user alone, and
    FileNotFoundError where no folder for temporary files can be written.
    """
    base = os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir()
    try:
        return private_folder(private_folder(Path(base) / f"virnucpro-bus-{os.getuid()}") / "devices")
    except OSError as error:
        raise UserError(
            f"{base}: device locks cannot be created there: {error.strerror}; set XDG_RUNTIME_DIR"
        ) from None


class DeviceLocks:
    """Holds the locks of a run's GPUs while entered; CPUs and simulated GPUs are not locked.

    The kernel releases the locks when the process ends, however it ends. The lock files stay; they are harmless.
    """

    def __init__(self, devices: Iterable[Device]) -> None:
        self._gpus = {gpu: device for device in devices if has_gpu(device.key) for gpu in gpus_of(device.key)}
        """By GPU, one of the devices that use it."""
        self._descriptors: list[int] = []

    def __enter__(self) -> Self:
        """Lock all GPUs. Raises UserError, and locks none, when another process holds one of them."""
        if not self._gpus:
            return self
        try:
            folder = locks_folder()
        except FileNotFoundError:
            say(f"no folder for temporary files can be written, so {_UNLOCKED}")
            return self
        try:
            for gpu, device in self._gpus.items():
                self._descriptors.append(_lock(folder, gpu, device))
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exc: object) -> None:
        while self._descriptors:
            os.close(self._descriptors.pop())


def _lock(folder: Path, gpu: str, device: Device) -> int:
    """Lock a GPU of the device and write our pid into the file; return the descriptor that holds the lock."""
    path = folder / f"{quote(gpu, safe='')}.lock"
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise UserError(f"{path}: cannot be locked: {error.strerror}") from None
    lock = try_lock(descriptor)
    if lock is Lock.HELD:
        holder = read_holder(descriptor) or "unknown"
        os.close(descriptor)
        raise UserError(
            f"{device_title(display_id(device))} ({gpu}) is in use by another run (pid {holder}): "
            "choose others with --devices, or wait until it ends"
        )
    if lock is Lock.UNSUPPORTED:
        say(f"{folder}: {NO_LOCKS}, so {_UNLOCKED}")
    write_holder(descriptor, str(os.getpid()))
    return descriptor
