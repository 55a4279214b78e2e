"""What devices are called, and which one this process works on as far as its environment tells."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Mapping, Sequence
from itertools import dropwhile, takewhile

from virnucpro_bus.errors import UserError
from virnucpro_bus.events.vocabulary import Device

UUID_PREFIXES = ("GPU-", "MIG-")
SIMULATED_PREFIX = "sim:"
_OWN_NAMES = ("cpu:", SIMULATED_PREFIX)


def is_simulated(key: str) -> bool:
    """Whether it is a GPU that is only made up, for a demonstration: its worker works on a CPU."""
    return key.startswith(SIMULATED_PREFIX)


def has_gpu(key: str) -> bool:
    """Whether who works on this device works on a real GPU."""
    return not key.startswith(_OWN_NAMES)


def is_number(text: str) -> bool:
    """Whether it is a whole number of the digits 0 to 9, as CUDA and NVML count GPUs."""
    return text.isascii() and text.isdecimal()


def visible_devices(environment: Mapping[str, str]) -> list[str] | None:
    """The entries of CUDA_VISIBLE_DEVICES: indices or UUIDs as text. None when unset (all are visible).

    As CUDA does, the list ends at the first entry that is neither an index nor a UUID; so "" and "-1" mean none.
    """
    value = environment.get("CUDA_VISIBLE_DEVICES")
    if value is None:
        return None
    return list(takewhile(_names_a_device, _entries(value)))


def unread_entry(environment: Mapping[str, str]) -> str | None:
    """The entry of CUDA_VISIBLE_DEVICES at which CUDA stops reading though more seems to be meant.

    None where nothing is left out, or on purpose: "", "-1" and "NoDevFiles" are how one says "no GPU".
    """
    value = environment.get("CUDA_VISIBLE_DEVICES", "")
    rest = list(dropwhile(_names_a_device, _entries(value)))
    if not value or not rest or rest[0] in ("-1", "NoDevFiles"):
        return None
    return rest[0] if any(rest) or len(rest) == len(_entries(value)) else None


def _entries(value: str) -> list[str]:
    return [part.strip() for part in value.split(",")]


def _names_a_device(entry: str) -> bool:
    return is_number(entry) or entry.startswith(UUID_PREFIXES)


def only_one_with_prefix(prefix: str, uuids: Sequence[str]) -> str | None:
    """The only one of `uuids`, which are sorted, with this prefix. None when there is none, or several."""
    if not prefix.startswith(UUID_PREFIXES):
        return None
    first = bisect_left(uuids, prefix)
    matching = [uuid for uuid in uuids[first : first + 2] if uuid.startswith(prefix)]
    return matching[0] if len(matching) == 1 else None


def find_gpu(name: str, present: Sequence[Device]) -> Device:
    """The GPU with this NVML index, this UUID, or the only UUID that begins so. Raises UserError."""
    found = [gpu for gpu in present if (str(gpu.index) == name if is_number(name) else gpu.key.startswith(name))]
    exact = [gpu for gpu in found if gpu.key == name] or found
    if len(exact) != 1:
        known = ", ".join(gpu.key if gpu.index is None else f"{gpu.index} ({gpu.key})" for gpu in present)
        problem = "is not there" if not exact else "fits several"
        raise UserError(f"GPU {name} {problem}; this machine has: {known or 'none (see virnucpro-bus doctor)'}")
    return exact[0]


def visible_gpus(
    environment: Mapping[str, str],
    present: Sequence[Device],
    divided: Collection[str] = (),
    *,
    some_missing: bool = False,
) -> list[Device]:
    """Those of `present` that CUDA_VISIBLE_DEVICES leaves, in its order; all when it is not set.

    `divided` are the keys of GPUs that are divided into MIG instances, which CUDA uses in their place.
    `some_missing`: there are others, which are lost or cannot be read. Raises UserError for an entry that is not
    there, and for an index of which it cannot be told which GPU it is.
    """
    entries = visible_devices(environment)
    if entries is None:
        return [gpu for gpu in present if gpu.key not in divided]
    if some_missing and (number := next(filter(is_number, entries), None)) is not None:
        # CUDA leaves out what it cannot use, and counts the others anew.
        raise UserError(
            f"CUDA_VISIBLE_DEVICES: which GPU {number} is cannot be told while one is lost or cannot be read; "
            "name them by UUID"
        )
    chosen = [_visible_gpu(entry, environment, present, divided) for entry in entries]
    return list(dict.fromkeys(chosen))


def _visible_gpu(
    entry: str, environment: Mapping[str, str], present: Sequence[Device], divided: Collection[str]
) -> Device:
    names = [gpu.name for gpu in present if gpu.index is not None]
    alike = len(names) == 1 or (len(set(names)) <= 1 and "" not in names)
    try:
        gpu = find_gpu(str(int(entry)) if is_number(entry) else entry, present)
    except UserError as why:
        raise UserError(f"CUDA_VISIBLE_DEVICES: {why}; name one of these, or unset it") from None
    if is_number(entry) and not alike and environment.get("CUDA_DEVICE_ORDER") != "PCI_BUS_ID":
        raise UserError(
            f"CUDA_VISIBLE_DEVICES: which GPU {entry} is cannot be told, since they differ and CUDA counts the "
            "fastest first; set CUDA_DEVICE_ORDER=PCI_BUS_ID, or name them by UUID"
        )
    if gpu.key in divided:
        raise UserError(
            f"CUDA_VISIBLE_DEVICES: GPU {entry} is divided into MIG instances; name those by UUID (MIG-...)"
        )
    return gpu


def device_of(key: str) -> Device:
    """A device by key: a GPU UUID, a CUDA ordinal ("1" or "cuda:1"), "cpu:N", "sim:N", or any other name."""
    if is_number(key):
        key = f"cuda:{int(key)}"
    kind, _, number = key.partition(":")
    # A CUDA ordinal is not NVML's index (CUDA counts the fastest first), so it is a key but no index.
    return Device(key, index=int(number) if f"{kind}:" in _OWN_NAMES and is_number(number) else None)


def display_id(device: Device) -> int | str:
    """What a person calls the device: NVML's index where known, else its key ("cpu:N" and "sim:N" always)."""
    return device.key if device.index is None or not has_gpu(device.key) else device.index


def device_from_environment(environment: Mapping[str, str]) -> Device:
    """The device of a worker started by torchrun, Slurm, Dask and the like; "cpu:N" where no GPU can be told.

    With one visible device it is that one; with several, LOCAL_RANK or SLURM_LOCALID picks one.
    """
    rank_text = environment.get("LOCAL_RANK") or environment.get("SLURM_LOCALID") or ""
    rank = int(rank_text) if is_number(rank_text) else None
    visible = visible_devices(environment)
    if visible is None and rank is not None:
        return device_of(f"cuda:{rank}")
    if not visible:
        return device_of(f"cpu:{rank or 0}")
    if len(visible) == 1:
        return device_of(visible[0])
    return device_of(visible[rank] if rank is not None and rank < len(visible) else visible[0])
