"""How devices are named, and which GPUs CUDA_VISIBLE_DEVICES selects."""

from __future__ import annotations

import operator
from bisect import bisect_left
from collections.abc import Collection, Mapping, Sequence
from itertools import dropwhile, takewhile
from typing import TypeVar

from virnucpro_bus.errors import UserError
from virnucpro_bus.events.vocabulary import Device
from virnucpro_bus.passed_numbers import is_bool

Entry = TypeVar("Entry")
UUID_PREFIXES = ("GPU-", "MIG-")
SIMULATED_PREFIX = "sim:"
ORDINAL_PREFIX = "cuda:"
"""With the number that CUDA gives a GPU."""
MOST_DIGITS = 18
"""Of a number of a GPU: Python refuses to convert a text of thousands of digits."""
_PREFIXES_WITHOUT_GPU = ("cpu:", SIMULATED_PREFIX)


def is_simulated(key: str) -> bool:
    """Whether a device is a simulated GPU, for a demonstration: its worker uses a CPU."""
    return key.startswith(SIMULATED_PREFIX)


def has_gpu(key: str) -> bool:
    """Whether a worker on this device uses a real GPU."""
    return not key.startswith(_PREFIXES_WITHOUT_GPU)


def is_number(text: str) -> bool:
    """Whether `text` is a whole number of at most 18 digits, 0 to 9, as CUDA and NVML number GPUs."""
    return text.isascii() and text.isdecimal() and len(text) <= MOST_DIGITS


def as_index(device_id: object) -> int | None:
    """Return the index that `device_id` is: a whole number of any library, or its digits; else None."""
    if isinstance(device_id, str):
        return int(device_id) if is_number(device_id) else None
    try:
        index = -1 if is_bool(device_id) else operator.index(device_id)  # type: ignore[arg-type]
    except Exception:  # an array of another library, say, has the method and may raise anything
        return None
    return index if index >= 0 else None


def find_device(device_id: object, devices: Mapping[int | str, Entry]) -> Entry | None:
    """Return the entry of `devices`, which has keys and indices, that `device_id` names; None if it names none.

    It is a key, an index (1 or "1"), or the beginning of a UUID that only one key has.
    """
    if not isinstance(device_id, str):
        index = as_index(device_id)
        return None if index is None else devices.get(index)
    if device_id in devices:
        return devices[device_id]
    if (index := as_index(device_id)) is not None:
        return devices.get(index)
    if not device_id.startswith(UUID_PREFIXES):
        return None
    # CUDA_VISIBLE_DEVICES may hold the beginning of a UUID, and a worker then knows its GPU only by that.
    key = only_one_with_prefix(device_id, sorted(key for key in devices if isinstance(key, str)))
    return None if key is None else devices[key]


def visible_devices(environment: Mapping[str, str]) -> list[str] | None:
    """Return the entries of CUDA_VISIBLE_DEVICES, indices or UUIDs; None when it is unset (all GPUs are visible).

    Like CUDA, it stops at the first entry that is neither an index nor a UUID; so "" and "-1" select no GPU. And
    like CUDA, it selects none when an entry is repeated.
    """
    entries = _read_entries(environment)
    return entries if entries is None or len(set(entries)) == len(entries) else []


def unread_entry(environment: Mapping[str, str]) -> str | None:
    """Return the entry of CUDA_VISIBLE_DEVICES at which CUDA stops reading, probably against the user's intention.

    None when every entry is read, or the list ends on purpose: "", "-1" and "NoDevFiles" mean "no GPU".
    """
    value = environment.get("CUDA_VISIBLE_DEVICES", "")
    unread = list(dropwhile(_is_index_or_uuid, _entries(value)))
    if not value or not unread or unread[0] in ("-1", "NoDevFiles"):
        return None
    return unread[0] if any(unread) or len(unread) == len(_entries(value)) else None


def only_one_with_prefix(prefix: str, uuids: Sequence[str]) -> str | None:
    """Return the only one of the sorted `uuids` that begins with `prefix`; None when no or several UUIDs do."""
    if not prefix.startswith(UUID_PREFIXES):
        return None
    first = bisect_left(uuids, prefix)
    matching = [uuid for uuid in uuids[first : first + 2] if uuid.startswith(prefix)]
    return matching[0] if len(matching) == 1 else None


def find_gpu(name: str, present: Sequence[Device]) -> Device:
    """Find the GPU with this NVML index, this UUID, or the only UUID with this prefix. Raises UserError."""
    found = [gpu for gpu in present if (str(gpu.index) == name if is_number(name) else gpu.key.startswith(name))]
    exact = [gpu for gpu in found if gpu.key == name] or found
    if len(exact) != 1:
        known = ", ".join(gpu.key if gpu.index is None else f"{gpu.index} ({gpu.key})" for gpu in present)
        problem = "matches several GPUs" if exact else "was not found"
        raise UserError(f"GPU {name} {problem}; this machine has: {known or 'none (see virnucpro-bus doctor)'}")
    return exact[0]


def visible_gpus(
    environment: Mapping[str, str],
    present: Sequence[Device],
    divided: Collection[str] = (),
    *,
    some_missing: bool = False,
) -> list[Device]:
    """Return those of `present` that CUDA_VISIBLE_DEVICES selects, in its order; all when it is not set.

    `divided` are the keys of GPUs that are divided into MIG instances, which CUDA uses in their place.
    `some_missing`: the machine has more GPUs, which are lost or cannot be read. Raises UserError for an entry that
    is not present, for an index that is ambiguous, and for a GPU that is named twice.
    """
    entries = _read_entries(environment)
    if entries is None:
        return [gpu for gpu in present if gpu.key not in divided]
    if some_missing and (number := next(filter(is_number, entries), None)) is not None:
        # CUDA leaves out what it cannot use, and renumbers the others.
        raise UserError(
            f"CUDA_VISIBLE_DEVICES: GPU {number} is ambiguous while a GPU is lost or cannot be read; "
            "name GPUs by UUID"
        )
    selected: dict[Device, str] = {}
    for entry in entries:
        gpu = _visible_gpu(entry, environment, present, divided)
        if gpu in selected:
            raise UserError(
                f"CUDA_VISIBLE_DEVICES: names a GPU twice ({selected[gpu]} and {entry}), and CUDA then uses none; "
                "name each once"
            )
        selected[gpu] = entry
    return list(selected)


def device_of(key: str) -> Device:
    """Make a device from a GPU UUID, a CUDA ordinal ("1" or "cuda:1"), "cpu:N", "sim:N", or any other name."""
    if is_number(key):
        key = f"{ORDINAL_PREFIX}{int(key)}"
    kind, _, number = key.partition(":")
    # A CUDA ordinal is not NVML's index (CUDA numbers the fastest first): it makes a key, not an index.
    return Device(key, index=int(number) if f"{kind}:" in _PREFIXES_WITHOUT_GPU and is_number(number) else None)


def display_id(device: Device) -> int | str:
    """Return what people call a device: its label, else a GPU's NVML index if that is known, else its key."""
    if device.label:
        return device.label
    return device.key if device.index is None or not has_gpu(device.key) else device.index


def _entries(value: str) -> list[str]:
    return [part.strip() for part in value.split(",")]


def _read_entries(environment: Mapping[str, str]) -> list[str] | None:
    """The entries of CUDA_VISIBLE_DEVICES that CUDA reads, indices without leading zeros; None: unset."""
    value = environment.get("CUDA_VISIBLE_DEVICES")
    if value is None:
        return None
    read = takewhile(_is_index_or_uuid, _entries(value))
    return [str(int(entry)) if is_number(entry) else entry for entry in read]


def _is_index_or_uuid(entry: str) -> bool:
    return is_number(entry) or entry.startswith(UUID_PREFIXES)


def _visible_gpu(
    entry: str, environment: Mapping[str, str], present: Sequence[Device], divided: Collection[str]
) -> Device:
    names = [gpu.name for gpu in present if gpu.index is not None]
    same_model = len(names) == 1 or (len(set(names)) <= 1 and "" not in names)
    try:
        gpu = find_gpu(entry, present)
    except UserError as error:
        raise UserError(f"CUDA_VISIBLE_DEVICES: {error}; name one of these, or unset it") from None
    if is_number(entry) and not same_model and environment.get("CUDA_DEVICE_ORDER") != "PCI_BUS_ID":
        raise UserError(
            f"CUDA_VISIBLE_DEVICES: GPU {entry} is ambiguous, since the models differ and CUDA numbers the "
            "fastest first; set CUDA_DEVICE_ORDER=PCI_BUS_ID, or name GPUs by UUID"
        )
    if gpu.key in divided:
        raise UserError(
            f"CUDA_VISIBLE_DEVICES: GPU {entry} is divided into MIG instances; name those by UUID (MIG-...)"
        )
    return gpu
