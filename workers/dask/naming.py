"""Naming: the devices of a run on a cluster, from what its workers are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence

from msgspec.structs import replace

from virnucpro_bus.device_keys import share
from virnucpro_bus.devices import device_of, display_id
from virnucpro_bus.events.vocabulary import Device
from workers.dask.member.survey import Member


def name_devices(members: Sequence[Member]) -> list[Device]:
    """Return the device of each member: a GPU, or a part of one that several share, or a CPU by its number.

    Where they are on several machines, people see which.
    """
    workers_of = Counter(member.device.key for member in members if member.device is not None)
    shared = {
        member.device.key: iter(share(member.device, workers_of[member.device.key]))
        for member in members
        if member.device is not None and workers_of[member.device.key] > 1
    }
    tells_host = len({member.host for member in members}) > 1
    devices = []
    for number, member in enumerate(members):
        if member.device is None:
            device = _cpu(number)
        elif member.device.key in shared:
            device = next(shared[member.device.key])
        else:
            device = member.device
        devices.append(on_host(device, member.host) if tells_host else device)
    return devices


def name_late(member: Member, present: Sequence[Device], *, tells_host: bool) -> Device:
    """Return the device of a member that joins a run with these devices."""
    keys = {device.key for device in present}
    if member.device is None:
        device = _cpu(len(present))
    elif member.device.key in keys or f"{member.device.key}#0" in keys:
        device = next(each for each in share(member.device, len(present) + 1) if each.key not in keys)
    else:
        device = member.device
    return on_host(device, member.host) if tells_host or _is_shown(device, present) else device


def on_host(device: Device, host: str) -> Device:
    """Return the device with a label that shows its host, among those of several."""
    return replace(device, label=f"{host}/{display_id(device)}")


def _cpu(number: int) -> Device:
    return Device(device_of(f"cpu:{number}").key, "CPU", number)


def _is_shown(device: Device, present: Collection[Device]) -> bool:
    """Whether people would call the device as they call another one: the GPU of the same index of another host."""
    return display_id(device) in map(display_id, present)
