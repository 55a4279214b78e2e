"""Merges the device states of a host that belong to one GPU under several keys. Pure.

A GPU that could not be read at first is called by its position, "nvml:1", until a sample reports its UUID. A
worker that another program has started may know only the beginning of its GPU's UUID. Both are resolved when
metrics are read, from all that is known by then, so the order of arrival does not matter.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping

from virnucpro_bus.devices import UUID_PREFIXES, only_one_with_prefix
from virnucpro_bus.fold.device import DeviceState

POSITION_PREFIX = "nvml:"


def merge_same_gpus(devices: Mapping[str, DeviceState], working: Collection[str]) -> dict[str, DeviceState]:
    """Return `devices` by key, without those that belong to the same GPU as another one.

    `working` are the keys of devices that have workers: two of these are never merged.
    """
    merged = dict(devices)
    for key in _identified_positions(devices):
        del merged[key]
    gpus = SampledGpus(devices)
    claims = {key: gpu for key in working if key in devices and (gpu := gpus.find(key)) is not None}
    claimed = Counter(gpu.device.key for gpu in claims.values())
    for key, gpu in claims.items():
        uuid = gpu.device.key
        if claimed[uuid] == 1 and not (uuid in working or gpu.is_planned or gpu.stolen_away):
            merged[key] = devices[key].renamed_to(gpu)
            del merged[uuid]
    return merged


class SampledGpus:
    """The GPUs of a host that were sampled, to be found by the beginning of their UUID."""

    def __init__(self, devices: Mapping[str, DeviceState]) -> None:
        self._devices = devices
        self._uuids = sorted(
            key for key, device in devices.items() if device.sample and key.startswith(UUID_PREFIXES)
        )

    def find(self, key: str) -> DeviceState | None:
        """Return the only GPU whose UUID begins with `key`; None without one, or if `key` itself was sampled."""
        device = self._devices.get(key)
        if device is not None and device.sample is not None:
            return None
        uuid = only_one_with_prefix(key, self._uuids)
        return None if uuid is None else self._devices[uuid]


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
