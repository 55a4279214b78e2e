"""One reading of one GPU, and the protocol that every backend implements.

Errors are handled per field: an unknown field is None, and the rest of the reading stays valid. A GPU that is gone
is a reading with `lost` set, under the identity that it had before.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import msgspec

from virnucpro_bus.errors import BusError
from virnucpro_bus.events.vocabulary import Device, GpuSampled

NAME_CHARACTERS = 256
"""Longer names from the driver are cut."""

_FIGURES = (
    *("compute_percent", "memory_used_bytes", "memory_total_bytes"),
    *("temperature_celsius", "power_watts", "energy_millijoules"),
)
_EVENT_TYPES = {field.name: field.type for field in msgspec.structs.fields(GpuSampled)}


class BackendUnavailable(BusError):
    """A backend that does not work on this machine. The text is one line: why, and what to do."""


@dataclass(frozen=True)
class GpuReading:
    """One sample of one GPU. Every field may be unknown (None) on its own.

    `device.key` is the UUID, or "nvml:INDEX" for a GPU whose UUID was never readable; `device.index` is NVML's
    index, None for a MIG instance. A number that an event cannot carry (NaN, a driver's sentinel) becomes None.
    """

    device: Device
    compute_percent: float | None = None
    memory_used_bytes: int | None = None
    memory_total_bytes: int | None = None
    temperature_celsius: float | None = None
    power_watts: float | None = None
    lost: bool = False
    energy_millijoules: int | None = None
    """Since the driver was loaded."""
    simulated: bool = False
    mig_of: str | None = None
    """For a MIG instance, the key of the GPU that it is part of."""
    divided: bool = False
    """Whether the GPU is in MIG mode: only its instances can be used, and there may be none."""

    def __post_init__(self) -> None:
        for name in _FIGURES:
            try:
                value = msgspec.convert(getattr(self, name), _EVENT_TYPES[name])
            except msgspec.ValidationError:
                value = None
            object.__setattr__(self, name, value)

    @property
    def memory_percent(self) -> float | None:
        """Used / total; None when either is unknown or they contradict each other."""
        if self.memory_used_bytes is None or not self.memory_total_bytes:
            return None
        percent = 100 * self.memory_used_bytes / self.memory_total_bytes
        return percent if percent <= 100 else None

    def blank(self) -> GpuReading:
        """Return the same GPU with all figures unknown; `lost` and its identity are kept."""
        return GpuReading(
            self.device, lost=self.lost, simulated=self.simulated, mig_of=self.mig_of, divided=self.divided
        )


class GpuBackend(Protocol):
    """A way to read GPUs. One caller at a time; no method raises."""

    @property
    def name(self) -> str:
        """The backend's name: "nvml", "nvidia-smi" or "none"."""

    @property
    def problems(self) -> Sequence[str]:
        """One line per problem, with what to do about it."""

    def readings(self) -> list[GpuReading]:
        """Read every GPU of this machine: in NVML's order, then those that are gone. May take long."""

    def close(self) -> None:
        """Release the driver."""


@dataclass(frozen=True)
class NullBackend:
    """The backend of a machine on which no GPU can be read."""

    problems: Sequence[str] = ()
    name: str = "none"

    def readings(self) -> list[GpuReading]:
        """Return no readings."""
        return []

    def close(self) -> None:
        """Do nothing."""


class KnownGpus:
    """The identities of all GPUs seen so far, for readings of a GPU that no longer reports its own."""

    def __init__(self) -> None:
        self._devices: dict[str, Device] = {}
        self._instances: dict[str, GpuReading] = {}

    def identify(self, index: int, uuid: str | None, name: str | None, present: set[str]) -> Device:
        """Return the device at `index`; without a UUID, the one that had this index before.

        `present` holds the UUIDs that were readable in this sample: none of them can be the device without one.
        """
        if uuid is None:
            absent = (old for old in self._devices.values() if old.index == index and old.key not in present)
            return next(absent, Device(f"nvml:{index}", name or "", index))
        old = self._devices.get(uuid)
        self._devices[uuid] = Device(uuid, name or (old.name if old else ""), index)
        return self._devices[uuid]

    def with_missing(self, readings: Iterable[GpuReading]) -> list[GpuReading]:
        """Return `readings`, then a lost reading for each GPU that was seen before and is not among them.

        MIG instances are lost together with their GPU; an instance that is missing while its GPU is present was
        removed.
        """
        listed = list(readings)
        keys = {reading.device.key for reading in listed}
        listed += [GpuReading(old, lost=True) for key, old in self._devices.items() if key not in keys]
        lost = {reading.device.key for reading in listed if reading.lost}
        self._instances |= {each.device.key: each.blank() for each in listed if each.mig_of is not None}
        gone = [old for key, old in self._instances.items() if key not in keys and old.mig_of in lost]
        return listed + [replace(old, lost=True) for old in gone]


def driver_text(value: str | bytes | None) -> str | None:
    """Return a text of the driver in a form that an event can carry; None when it is empty or missing."""
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    return value.strip()[:NAME_CHARACTERS] or None if value else None


def in_one_line(error: object) -> str:
    """Return the text of `error` without line breaks, for a problem line."""
    return " ".join(str(error).split())
