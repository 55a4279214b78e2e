"""Finds the GPU behind a device that is known by another name, and merges what is one GPU. Pure.

A GPU that could not be read at first is called by its position, "nvml:1", until a sample reports its UUID. A
worker that another program has started may know only the beginning of its GPU's UUID, or CUDA's number, "cuda:1".
That number is an NVML index where all GPUs of the host have one name, since CUDA then leaves them in PCI order,
and where the worker's process may use all of them, since CUDA counts no others. Of several workers with one number
it is not certain: it may be the number that each has before it chooses. All of that is resolved when metrics are
read, from all that is known by then, so the order of arrival does not matter.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping

from virnucpro_bus.device_keys import gpus_of, numbered, unnumbered
from virnucpro_bus.devices import ORDINAL_PREFIX, UUID_PREFIXES, is_number, only_one_with_prefix
from virnucpro_bus.events.vocabulary import Device
from virnucpro_bus.fold.device import DeviceState

POSITION_PREFIX = "nvml:"
_WHOLE_GPU_PREFIX = "GPU-"


def find_identities(devices: Mapping[str, DeviceState], working: Collection[str]) -> dict[str, Device]:
    """Return what devices are called once their GPU is known, by the key that their workers have for them.

    `working` are the keys of devices that have workers: two of these never become one. Nor does any become a GPU
    of the run that was announced.
    """
    gpus = SampledGpus(devices)
    shared = {name for name, number in map(unnumbered, working) if number is not None}
    candidates = (
        key for key in working if key in devices and not (key in shared and key.startswith(ORDINAL_PREFIX))
    )
    found = {key: device for key in candidates if (device := gpus.identify(key)) is not None}
    claimed = Counter(device.key for device in found.values())
    return {
        key: device
        for key, device in found.items()
        if device.key == key
        or (claimed[device.key] == 1 and device.key not in working and not _is_taken(device, devices))
    }


def merge_same_gpus(
    devices: Mapping[str, DeviceState], identities: Mapping[str, Device]
) -> dict[str, DeviceState]:
    """Return `devices` by key, without those that belong to the same GPU as another one.

    `identities` are as `find_identities` returns them.
    """
    merged = dict(devices)
    for key in _identified_positions(devices):
        del merged[key]
    for key, device in identities.items():
        gpu = merged.pop(device.key, None) if device.key != key else None
        merged[key] = devices[key].renamed_to(device, gpu)
    return merged


class SampledGpus:
    """The GPUs of a host that were sampled, to be found by what workers call them."""

    def __init__(self, devices: Mapping[str, DeviceState]) -> None:
        self._devices = devices
        self._uuids = sorted(
            key for key, device in devices.items() if device.sample and key.startswith(UUID_PREFIXES)
        )
        self._ordinals: dict[int, str] | None = None

    def of(self, key: str) -> list[DeviceState]:
        """Return the GPUs of the device `key`; one that was never sampled is as its workers name it."""
        return [self._named(name) or self._devices.get(name) or DeviceState(Device(name)) for name in gpus_of(key)]

    def identify(self, key: str) -> Device | None:
        """Return the device `key` under the name of its GPU; None if it has that, or the GPU is unknown."""
        name, number = unnumbered(key)
        device = self._devices[key]
        if (number is None and device.sample is not None) or device.device.label or gpus_of(key) != (name,):
            return None  # a GPU that is sampled under this key has its name
        gpu = self._named(name) or self._counted(key, device.gpus_counted)
        if gpu is None or gpu.device.key == key:
            return None
        return gpu.device if number is None else numbered(gpu.device, number)

    def _named(self, name: str) -> DeviceState | None:
        """Return the GPU with this key, or the only one whose UUID begins with it."""
        device = self._devices.get(name)
        if device is not None and device.sample is not None:
            return device
        uuid = only_one_with_prefix(name, self._uuids)
        return None if uuid is None else self._devices[uuid]

    def _counted(self, name: str, gpus: int | None) -> DeviceState | None:
        """Return the GPU that CUDA calls `name` in a process that may use so many GPUs."""
        ordinal = name.removeprefix(ORDINAL_PREFIX)
        if not (name.startswith(ORDINAL_PREFIX) and is_number(ordinal)) or gpus != len(self._by_ordinal()):
            return None
        uuid = self._by_ordinal().get(int(ordinal))
        return None if uuid is None else self._devices[uuid]

    def _by_ordinal(self) -> dict[int, str]:
        """The UUID of each GPU by CUDA's number; empty where the samples do not show that it is NVML's index."""
        if self._ordinals is None:
            gpus = [self._devices[uuid].device for uuid in self._uuids]
            found = {gpu.index: gpu.key for gpu in gpus if gpu.index is not None}
            # CUDA numbers the instances of a divided GPU in its place.
            are_whole = all(gpu.key.startswith(_WHOLE_GPU_PREFIX) for gpu in gpus)
            are_alike = len({gpu.name for gpu in gpus}) == 1 and all(gpu.name for gpu in gpus)
            is_complete = sorted(found) == list(range(len(gpus)))
            self._ordinals = found if are_whole and are_alike and is_complete else {}
        return self._ordinals


def _is_taken(device: Device, devices: Mapping[str, DeviceState]) -> bool:
    """Whether the GPU of `device` is one of the run that was announced, or files were stolen from it."""
    gpus = (devices.get(gpu) for gpu in gpus_of(device.key))
    return any(gpu is not None and (gpu.is_planned or gpu.stolen_away > 0) for gpu in gpus)


def _identified_positions(devices: Mapping[str, DeviceState]) -> list[str]:
    """The positions whose GPU a later sample reports with its UUID."""
    positions = {key: device for key, device in devices.items() if key.startswith(POSITION_PREFIX)}
    if not positions:
        return []
    identified: dict[int | None, tuple[int, int]] = {}
    for key, device in devices.items():
        if device.sample is not None and key.startswith(UUID_PREFIXES):
            index = device.sample.device.index
            identified[index] = max(identified.get(index, (0, 0)), device.sample_order)
    return [
        key
        for key, device in positions.items()
        if device.sample is not None and device.sample_order < identified.get(device.device.index, (0, 0))
    ]


def keys_by_index(devices: Mapping[str, DeviceState]) -> dict[int, str]:
    """The key of the sampled GPU with each index; of several that had it one after the other, the last."""
    last: dict[int, tuple[tuple[int, int], str]] = {}
    for key, device in devices.items():
        if device.sample is not None and (index := device.sample.device.index) is not None:
            last[index] = max(last.get(index, ((0, 0), "")), (device.sample_order, key))
    return {index: key for index, (_, key) in last.items()}
