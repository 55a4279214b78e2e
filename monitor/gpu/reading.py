"""What can be known of one GPU, and what every way of reading GPUs offers.

Errors are handled per field: what cannot be known is None, and the rest of the reading lives on. A GPU that has
gone is a reading with `lost` set, under the identity it had before.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import msgspec

from virnucpro_bus.errors import BusError
from virnucpro_bus.events.vocabulary import Device, GpuSampled

_FIGURES = (
    *("compute_percent", "memory_used_bytes", "memory_total_bytes"),
    *("temperature_celsius", "power_watts", "energy_millijoules"),
)
_IN_EVENT = {field.name: field.type for field in msgspec.structs.fields(GpuSampled)}


class BackendUnavailable(BusError):
    """This way of reading GPUs does not work here. The text is one line that says why and what to do."""


@dataclass(frozen=True)
class GpuReading:
    """One look at one GPU. Every field may be unknown (None) on its own.

    `device.key` is the UUID, or "nvml:INDEX" for a GPU whose UUID has never been readable; `device.index` is
    NVML's index, None for a MIG instance. A number that no event may carry (NaN, a driver's sentinel) is unknown.
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
    """Whether the GPU is in MIG mode: nothing can work on it but on its instances, of which there may be none."""

    def __post_init__(self) -> None:
        for name in _FIGURES:
            try:
                value = msgspec.convert(getattr(self, name), _IN_EVENT[name])
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
        """The same GPU, nothing known of it but whether it was lost."""
        return GpuReading(
            self.device, lost=self.lost, simulated=self.simulated, mig_of=self.mig_of, divided=self.divided
        )


class GpuBackend(Protocol):
    """A way to read GPUs: "nvml", "nvidia-smi" or "none" by `name`. One caller at a time; nothing in it raises."""

    @property
    def name(self) -> str: ...

    @property
    def problems(self) -> Sequence[str]:
        """One line for each thing that is not as it should be, with what to do about it."""

    def readings(self) -> list[GpuReading]:
        """Every GPU of this machine, in NVML's order, then those that have gone. May take long."""

    def close(self) -> None: ...


@dataclass(frozen=True)
class NullBackend:
    """No GPU can be read here."""

    problems: Sequence[str] = ()
    name: str = "none"

    def readings(self) -> list[GpuReading]:
        return []

    def close(self) -> None:
        pass


class DeviceMemory:
    """Who the GPUs are, kept for the time when they can no longer say so themselves."""

    def __init__(self) -> None:
        self._known: dict[str, Device] = {}
        self._instances: dict[str, GpuReading] = {}

    def identify(self, index: int, uuid: str | None, name: str | None, present: set[str]) -> Device:
        """The device at `index`. `present` holds all UUIDs of this look: those cannot be the silent one."""
        if uuid is None:
            silent = (old for old in self._known.values() if old.index == index and old.key not in present)
            return next(silent, Device(f"nvml:{index}", name or "", index))
        old = self._known.get(uuid)
        self._known[uuid] = Device(uuid, name or (old.name if old else ""), index)
        return self._known[uuid]

    def with_missing(self, readings: Iterable[GpuReading]) -> list[GpuReading]:
        """`readings`, then a lost one for each GPU seen before and not listed any more.

        MIG instances are lost with their GPU; one that is missing while its GPU is there was removed.
        """
        listed = list(readings)
        keys = {reading.device.key for reading in listed}
        listed += [GpuReading(old, lost=True) for key, old in self._known.items() if key not in keys]
        lost = {reading.device.key for reading in listed if reading.lost}
        self._instances |= {each.device.key: each.blank() for each in listed if each.mig_of is not None}
        gone = [old for key, old in self._instances.items() if key not in keys and old.mig_of in lost]
        return listed + [replace(old, lost=True) for old in gone]


def driver_text(value: str | bytes | None) -> str | None:
    """A name as an event can carry it; None when there is none."""
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    return value.strip()[:256] or None if value else None


def in_one_line(why: object) -> str:
    """What went wrong, as a problem line tells it."""
    return " ".join(str(why).split())
