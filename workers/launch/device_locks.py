"""One run a GPU: a lock on the device's identity, held as long as the run lasts."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Self
from urllib.parse import quote

from virnucpro_bus.devices import display_id, has_gpu
from virnucpro_bus.errors import UserError
from virnucpro_bus.events.vocabulary import Device
from virnucpro_bus.system.private_files import private_folder, try_lock


def locks_folder() -> Path:
    """Where this user's locks are, made if missing: below XDG_RUNTIME_DIR, else the folder for temporary files.

    Raises UserError when it is not, or cannot be made, a folder of the user's own.
    """
    base = os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir()
    try:
        return private_folder(private_folder(Path(base) / f"virnucpro-bus-{os.getuid()}") / "devices")
    except OSError as error:
        raise UserError(f"{base}: no locks can be made there: {error.strerror}; set XDG_RUNTIME_DIR") from None


class DeviceLocks:
    """While entered, the GPUs are ours: no other run of this user gets them. CPUs and simulations are shared.

    The kernel lets go of the locks when the process ends, however it does; the files stay and mean nothing.
    """

    def __init__(self, devices: Iterable[Device]) -> None:
        self._gpus = [device for device in devices if has_gpu(device.key)]
        self._descriptors: list[int] = []

    def __enter__(self) -> Self:
        """Raises UserError, and claims nothing, when another process holds one of the GPUs."""
        try:
            for device in self._gpus:
                self._descriptors.append(_claim(device))
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exc: object) -> None:
        while self._descriptors:
            os.close(self._descriptors.pop())


def _claim(device: Device) -> int:
    """Lock the device, with our pid in the file; returns the descriptor that holds the lock."""
    path = locks_folder() / f"{quote(device.key, safe='')}.lock"
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise UserError(f"{path}: cannot be locked: {error.strerror}") from None
    if (holder := try_lock(descriptor)) is not None:
        os.close(descriptor)
        raise UserError(
            f"GPU {display_id(device)} ({device.key}) is in use by another run (pid {holder}): "
            "choose others with --devices, or wait for it"
        )
    return descriptor
