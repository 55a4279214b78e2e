"""What devices are called, and which one this process works on as far as its environment tells."""

from __future__ import annotations

from collections.abc import Mapping

from virnucpro_bus.events import Device

_UUID_PREFIXES = ("GPU-", "MIG-")


def visible_devices(environment: Mapping[str, str]) -> list[str] | None:
    """The entries of CUDA_VISIBLE_DEVICES: indices or UUIDs as text. None when unset (all are visible).

    As CUDA does, the list ends at the first entry that is neither an index nor a UUID; so "" and "-1" mean none.
    """
    value = environment.get("CUDA_VISIBLE_DEVICES")
    if value is None:
        return None
    entries: list[str] = []
    for entry in (part.strip() for part in value.split(",")):
        if not entry.isdecimal() and not entry.startswith(_UUID_PREFIXES):
            break
        entries.append(entry)
    return entries


def device_of(key: str) -> Device:
    """A device by key: a GPU UUID, a CUDA ordinal ("1" or "cuda:1"), "cpu:N", or any other name."""
    if key.isdecimal():
        key = f"cuda:{int(key)}"
    kind, _, number = key.partition(":")
    # A CUDA ordinal is not NVML's index (CUDA counts the fastest first), so it is a key but no index.
    return Device(key, index=int(number) if kind == "cpu" and number.isdecimal() else None)


def display_id(device: Device) -> int | str:
    """What a person calls the device: NVML's index where known, else its key ("cpu:N" always)."""
    return device.key if device.index is None or device.key.startswith("cpu:") else device.index


def device_from_environment(environment: Mapping[str, str]) -> Device:
    """The device of a worker started by torchrun, Slurm, Dask and the like; "cpu:N" where no GPU can be told.

    With one visible device it is that one; with several, LOCAL_RANK or SLURM_LOCALID picks one.
    """
    rank_text = environment.get("LOCAL_RANK") or environment.get("SLURM_LOCALID") or ""
    rank = int(rank_text) if rank_text.isdecimal() else None
    visible = visible_devices(environment)
    if visible is None and rank is not None:
        return device_of(f"cuda:{rank}")
    if not visible:
        return device_of(f"cpu:{rank or 0}")
    if len(visible) == 1:
        return device_of(visible[0])
    return device_of(visible[rank] if rank is not None and rank < len(visible) else visible[0])
