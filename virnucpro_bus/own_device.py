"""Finds the device of this process where no launcher of ours has assigned one.

In this order, and without a call of the driver, which may hang:

1. what the caller names;
2. `cpu:N` where `CUDA_VISIBLE_DEVICES` selects no GPU;
3. the GPU that torch uses, if it has initialized CUDA by then; torch is never imported for that;
4. `CUDA_VISIBLE_DEVICES`, and of several entries that of the local rank, else the first;
5. the local rank. It counts GPUs of the machine: who reads the bus knows these, and makes a GPU of the number
   (`fold/gpu_identity.py`);
6. `cpu:N` where nothing says which GPU, or a number says it and the process can use none.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from msgspec.structs import replace

from virnucpro_bus.devices import ORDINAL_PREFIX, UUID_PREFIXES, device_of, is_number, visible_devices
from virnucpro_bus.events.vocabulary import Device

LOCAL_RANK_VARIABLES = (
    "LOCAL_RANK",  # torchrun, accelerate, DeepSpeed
    "OMPI_COMM_WORLD_LOCAL_RANK",  # Open MPI
    "MPI_LOCALRANKID",  # Intel MPI, MPICH
    "MV2_COMM_WORLD_LOCAL_RANK",  # MVAPICH2
    "PMI_LOCAL_RANK",  # Cray
    "SLURM_LOCALID",  # srun; last, since it is set in a batch script, too, around all the others
)
"""Where launchers put the number of a process on its machine; the first that is set counts."""
DEVICE_FOLDER = Path("/dev")
"""Where the driver's device files are, one for each GPU."""
_GPU_FILE = re.compile(r"nvidia\d+", re.ASCII)
_WSL_FILE = "dxg"
_ANY_GPU, _ANY_CPU = "cuda", "cpu"
"""What torch calls a device that it leaves open."""
_CPU_PREFIX = "cpu:"


class TorchDevice(NamedTuple):
    """The GPU that torch uses in this process: CUDA's number, and the UUID; "" with a torch that reports none."""

    ordinal: int
    uuid: str


def find_own_device(environment: Mapping[str, str], named: Device | None = None) -> Device:
    """Return the device of this process; `named` is what its program says, None: nothing.

    CUDA numbers what `CUDA_VISIBLE_DEVICES` selects, so a number that is `named` counts its entries.
    """
    if named is not None:
        return _named_device(environment, named)
    return choose_device(environment, torch_device(local_rank(environment)), count_usable_gpus())


def find_peer_device(environment: Mapping[str, str], own_key: str, named: Device, number: int | None) -> Device:
    """Return the device of another worker on this machine, as the worker on `own_key` names it.

    `number` is what it says if that is a plain number: of a CPU worker for one that is one itself, else CUDA's.
    """
    if number is not None and own_key.startswith(_CPU_PREFIX):
        return device_of(f"{_CPU_PREFIX}{number}")
    return _named_device(environment, named)


def choose_device(environment: Mapping[str, str], torch: TorchDevice | None, usable_gpus: int | None) -> Device:
    """Return the device of a process with this environment.

    `torch` is None where it says nothing; `usable_gpus` is how many GPUs the process can use, None: unknown.
    """
    rank = local_rank(environment)
    visible = visible_devices(environment)
    on_cpu = device_of(f"{_CPU_PREFIX}{rank or 0}")
    if visible == []:
        return on_cpu
    if torch is not None:
        return _device_at(torch.ordinal, visible, torch.uuid)
    if visible is None and rank is None:
        return on_cpu
    found = _device_at(rank or 0, visible)
    # A UUID is taken at its word; a number is one of GPUs that are there.
    return on_cpu if usable_gpus == 0 and not found.key.startswith(UUID_PREFIXES) else found


def local_rank(environment: Mapping[str, str]) -> int | None:
    """Return the number of this process among those of its program on this machine; None: unknown."""
    text = next(filter(None, map(environment.get, LOCAL_RANK_VARIABLES)), "")
    return int(text) if is_number(text) else None


def torch_device(rank: int | None) -> TorchDevice | None:
    """Return the GPU that torch uses in this process; None unless it is loaded and has initialized CUDA.

    That is the current device. Where it is still the first, and there is one for this local rank, it is that one:
    a program that names its device in each call leaves the current device as it was.
    """
    try:
        cuda: Any = sys.modules["torch"].cuda
        if not cuda.is_initialized():
            return None
        ordinal = int(cuda.current_device())
        if ordinal == 0 and rank is not None and rank < int(cuda.device_count()):
            ordinal = rank
    except Exception:  # not loaded, or loaded only in part, or another module of this name
        return None
    return TorchDevice(ordinal, torch_uuid(ordinal))


def torch_uuid(ordinal: int) -> str:
    """Return the UUID of CUDA's GPU of this number; "" unless torch has initialized CUDA and reports it."""
    try:
        cuda: Any = sys.modules["torch"].cuda
        return f"GPU-{cuda.get_device_properties(ordinal).uuid}" if cuda.is_initialized() else ""
    except Exception:  # as above, or an older torch
        return ""


def count_usable_gpus() -> int | None:
    """Return how many NVIDIA GPUs this process is permitted to open; None where that is unknown (WSL).

    Containers and batch systems permit some of the machine's, and CUDA numbers only these.
    """
    try:
        names = os.listdir(DEVICE_FOLDER)
    except OSError:
        return None
    if _WSL_FILE in names:
        return None
    gpus = filter(_GPU_FILE.fullmatch, names)
    return sum(os.access(DEVICE_FOLDER / name, os.R_OK | os.W_OK) for name in gpus)


def gpus_counted_by(key: str) -> int | None:
    """Return among how many GPUs a device `cuda:N` of this process counts; None: unknown, or not such a device."""
    return (count_usable_gpus() or None) if key.startswith(ORDINAL_PREFIX) else None


def _named_device(environment: Mapping[str, str], named: Device) -> Device:
    if named.key == _ANY_GPU:
        return find_own_device(environment)
    if named.key == _ANY_CPU:
        return device_of(f"{_CPU_PREFIX}{local_rank(environment) or 0}")
    ordinal, visible = _ordinal_of(named), visible_devices(environment)
    if ordinal is None or (visible is not None and ordinal >= len(visible)):
        return named
    return replace(named, key=_device_at(ordinal, visible, torch_uuid(ordinal)).key)


def _ordinal_of(device: Device) -> int | None:
    """The number that CUDA gives a device; None where it is named otherwise."""
    number = device.key.removeprefix(ORDINAL_PREFIX)
    return int(number) if device.key != number and is_number(number) else None


def _device_at(ordinal: int, visible: list[str] | None, uuid: str = "") -> Device:
    """Return CUDA's device of this number: of the `visible` ones if they are listed, of all if that is None.

    `uuid` is what CUDA itself says; a MIG instance is better known by its entry. The first entry counts for a
    number that has none.
    """
    if visible is None:
        return device_of(uuid or f"{ORDINAL_PREFIX}{ordinal}")
    entry = visible[ordinal] if ordinal < len(visible) else visible[0]
    return device_of(uuid if uuid and not entry.startswith("MIG-") else entry)
