"""Which accounts of a host are of one GPU, though they go by different names. Pure.

A GPU that could not be read at first goes by its place, "nvml:1", until it tells its UUID. A worker that somebody
else has started may know the beginning of its GPU's UUID alone. Both are found out whenever somebody asks, from
all that is known by then, so that the order in which it came does not matter.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping

from virnucpro_bus.devices import UUID_PREFIXES, only_one_with_prefix
from virnucpro_bus.fold.device import DeviceState

PLACE_PREFIX = "nvml:"


def merge_same_gpus(devices: Mapping[str, DeviceState], working: Collection[str]) -> dict[str, DeviceState]:
    """The accounts of `devices` by their keys, without those that are of the same GPU as another of them.

    `working` are the keys of devices that have workers: what they have done is never put under another name.
    """
    shown = dict(devices)
    for key in _places_with_a_name(devices):
        del shown[key]
    gpus = SampledGpus(devices)
    claims = {key: gpu for key in working if key in devices and (gpu := gpus.find(key)) is not None}
    claimed = Counter(gpu.device.key for gpu in claims.values())
    for key, gpu in claims.items():
        whole = gpu.device.key
        if claimed[whole] == 1 and not (whole in working or gpu.planned or gpu.stolen_away):
            shown[key] = devices[key].renamed_to(gpu)
            del shown[whole]
    return shown


class SampledGpus:
    """The GPUs of a host that were looked at."""

    def __init__(self, devices: Mapping[str, DeviceState]) -> None:
        self._devices = devices
        self._keys = sorted(
            key for key, account in devices.items() if account.sample and key.startswith(UUID_PREFIXES)
        )

    def find(self, key: str) -> DeviceState | None:
        """The only one whose UUID begins with `key`, which is none that was looked at itself; else None."""
        account = self._devices.get(key)
        if account is not None and account.sample is not None:
            return None
        whole = only_one_with_prefix(key, self._keys)
        return None if whole is None else self._devices[whole]


def _places_with_a_name(devices: Mapping[str, DeviceState]) -> list[str]:
    """The places whose GPU has told its UUID at a later look."""
    places = {key: account for key, account in devices.items() if key.startswith(PLACE_PREFIX)}
    if not places:
        return []
    named_at: dict[int | None, tuple[int, int]] = {}
    for key, account in devices.items():
        if account.sample is not None and key.startswith(UUID_PREFIXES):
            index = account.sample.device.index
            named_at[index] = max(named_at.get(index, (0, 0)), account.sampled_at)
    return [
        key
        for key, account in places.items()
        if account.sample is not None and account.sampled_at < named_at.get(account.device.index, (0, 0))
    ]
