"""The keys of devices, as far as they name GPUs: what one worker uses is one GPU, a share of it, or several GPUs.

| key | its worker uses |
|---|---|
| `GPU-a` | one GPU, alone |
| `GPU-a#1` | the same GPU as `GPU-a#0`: worker number 1 of several, from 0 |
| `GPU-a+GPU-b` | both GPUs |
| `GPU-a#2` | the same GPU as `GPU-a`: the second of several workers that call their device so |
| `cpu:0#2` | what `cpu:0` is, in another process; and so `cuda:0#2` |

So queues, stealing and the effect know devices alone, and what is about GPUs asks `gpus_of`: no other module reads
this notation. A slash would not do in place of `#`: old drivers write MIG instances as `MIG-GPU-a/1/0`, and a
spreadsheet takes 1/2 for a date. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from msgspec.structs import replace

from virnucpro_bus.devices import ORDINAL_PREFIX, SIMULATED_PREFIX, UUID_PREFIXES, has_gpu, is_number, is_simulated
from virnucpro_bus.events.vocabulary import NAME_CHARACTERS, Device
from virnucpro_bus.text import visible

_JOIN, _NUMBER = "+", "#"
_KNOWN_PREFIXES = (*UUID_PREFIXES, SIMULATED_PREFIX, "cpu:", ORDINAL_PREFIX)
_LABEL_OF_GPUS = re.compile(r"\d+(\+\d+)*(#\d+)?")
"""A label that `share` or `join_gpus` has made of NVML indices."""


def gpus_of(key: str) -> tuple[str, ...]:
    """Return the keys of the GPUs that a device uses, simulated ones included; none for a CPU.

    A key in another notation names itself: it may be that of a GPU that another program samples.
    """
    if not (has_gpu(key) or is_simulated(key)):
        return ()
    return tuple(dict.fromkeys(_split(key)[0]))


def uuid_of(key: str) -> str | None:
    """Return the UUID of the GPU that a device uses; None for a CPU, for several GPUs, and if it is unknown."""
    gpus = gpus_of(key)
    return gpus[0] if len(gpus) == 1 and gpus[0].startswith(UUID_PREFIXES) else None


def order_of(key: str) -> tuple[str, int]:
    """Return a sort key that puts the workers of a GPU side by side, number 2 before number 10."""
    names, number = _split(key)
    return _JOIN.join(names), -1 if number is None else number


def share(device: Device, workers: int) -> list[Device]:
    """Return the devices of so many workers that use the GPUs of `device` together."""
    return [numbered(device, number) for number in range(workers)]


def numbered(device: Device, number: int) -> Device:
    """Return the device of worker `number` of several that use `device`."""
    label = _label(device)
    return replace(device, key=numbered_key(device.key, number), label=label and f"{label}{_NUMBER}{number}")


def numbered_key(key: str, number: int) -> str:
    """Return the key of worker `number` of several that use the device `key`."""
    return f"{key}{_NUMBER}{number}"


def unnumbered(key: str) -> tuple[str, int | None]:
    """Return the key of the device that a worker uses with others, and its number there; None: it has none."""
    before, mark, number = key.rpartition(_NUMBER)
    return (before, int(number)) if mark and before and is_number(number) else (key, None)


def join_gpus(gpus: Sequence[Device]) -> Device:
    """Return the device of one worker that uses all these GPUs; its place in the order is that of the first."""
    if len(gpus) == 1:
        return gpus[0]
    names = list(dict.fromkeys(gpu.name for gpu in gpus))
    labels = [_label(gpu) for gpu in gpus]
    return Device(
        _JOIN.join(gpu.key for gpu in gpus),
        f" {_JOIN} ".join(names)[:NAME_CHARACTERS],
        gpus[0].index,
        _JOIN.join(labels) if all(labels) else "",
    )


def device_title(device_id: int | str) -> str:
    """Return what a displayed id is called on screen: "GPU 0", "GPU 0#1", "GPU 0+1", else the id: "cpu:0"."""
    is_gpu = isinstance(device_id, int) or _LABEL_OF_GPUS.fullmatch(device_id) is not None
    return f"GPU {device_id}" if is_gpu else visible(str(device_id))


def index_in(device_id: int | str) -> int | None:
    """Return the index, or the number of a CPU or simulated GPU, that a displayed id begins with; None without."""
    found = re.match(r"(?:cpu:|sim:)?(\d{1,18})(?=[+#]|$)", str(device_id), re.ASCII)
    return int(found[1]) if found else None


def _split(key: str) -> tuple[list[str], int | None]:
    """The names of GPUs in a key, and the number of the worker; None for a worker alone, or another notation."""
    if _JOIN not in key and _NUMBER not in key:
        return [key], None  # nearly every key, and each is split often
    before, number = unnumbered(key)
    names = before.split(_JOIN)
    if not all(name.startswith(_KNOWN_PREFIXES) for name in names):
        return [key], None
    return names, number


def _label(device: Device) -> str:
    """What people call a GPU in the label of a device; "" where its key is all there is."""
    return device.label or ("" if device.index is None or not has_gpu(device.key) else str(device.index))
