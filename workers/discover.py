"""Which devices a run uses: what `--devices` says, looked up on this machine."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping

from virnucpro_bus.devices import device_of, visible_devices
from virnucpro_bus.errors import UserError
from virnucpro_bus.events import Device
from virnucpro_bus.processes import own_command

_UUID_PREFIXES = ("GPU-", "MIG-")
LOOKUP_SECONDS = 20.0
MAX_DEVICES = 1024
"""What one event can list with room to spare; it takes a process each."""


def find_devices(spec: str, environment: Mapping[str, str]) -> list[Device]:
    """The devices that `spec` names: auto, cpu:N, cuda:0,1 (NVML indices), or GPU UUIDs or their beginnings.

    `auto` is every GPU that CUDA_VISIBLE_DEVICES leaves, else one CPU device a usable core. Raises UserError.
    """
    if spec == "auto":
        return _all_gpus(environment) or _cpus(len(os.sched_getaffinity(0)))
    kind, _, numbers = spec.partition(":")
    if kind == "cpu":
        if not numbers.isdecimal() or not 1 <= int(numbers) <= MAX_DEVICES:
            raise UserError(f"--devices {spec}: write cpu:N with N from 1 to {MAX_DEVICES}")
        return _cpus(int(numbers))
    names = [name.strip() for name in (numbers if kind == "cuda" else spec).split(",")]
    if kind == "cuda" and not all(name.isdecimal() for name in names):
        raise UserError(f"--devices {spec}: write cuda: and NVML indices, such as cuda:0,1")
    if kind != "cuda" and not all(name.startswith(_UUID_PREFIXES) for name in names):
        raise UserError(f"--devices {spec}: write auto, cpu:N, cuda:0,1 or GPU UUIDs (GPU-...,GPU-...)")
    present = _gpus()
    chosen = [_match(name, present) for name in names]
    if len({device.key for device in chosen}) < len(chosen):
        raise UserError(f"--devices {spec}: names a device twice")
    return chosen


def _cpus(count: int) -> list[Device]:
    return [Device(device_of(f"cpu:{number}").key, "CPU", number) for number in range(count)]


def _all_gpus(environment: Mapping[str, str]) -> list[Device]:
    present = _gpus()
    visible = visible_devices(environment)
    if visible is None or not present:
        return present
    return list(dict.fromkeys(_match(name, present) for name in visible))


def _match(name: str, present: list[Device]) -> Device:
    """The GPU with this index, UUID, or only UUID that begins so."""
    found = [gpu for gpu in present if (str(gpu.index) == name if name.isdecimal() else gpu.key.startswith(name))]
    exact = [gpu for gpu in found if gpu.key == name] or found
    if len(exact) != 1:
        known = ", ".join(f"{gpu.index} ({gpu.key})" for gpu in present) or "none"
        problem = "is not there" if not exact else "fits several"
        raise UserError(f"GPU {name} {problem}; this machine has: {known} (see virnucpro-bus doctor)")
    return exact[0]


def _gpus() -> list[Device]:
    """The GPUs that can be worked on: not lost, and with a UUID that CUDA knows them by.

    Asked of a process of its own, so that a hung driver costs a time-out and no more.
    """
    try:
        answer = subprocess.run(
            own_command("doctor", "--json"), stdin=subprocess.DEVNULL, capture_output=True, timeout=LOOKUP_SECONDS,
            check=True,
        )  # fmt: skip
        found = json.loads(answer.stdout)["devices"]
    except subprocess.TimeoutExpired:
        raise UserError(
            "the GPU driver does not answer; see virnucpro-bus doctor, or use --devices cpu:N"
        ) from None
    except (subprocess.CalledProcessError, ValueError, KeyError) as error:
        raise UserError(f"the GPUs could not be listed ({error}); see virnucpro-bus doctor") from None
    return [
        Device(gpu["uuid"], gpu["name"] or "", gpu["index"])
        for gpu in found
        if gpu["uuid"].startswith(_UUID_PREFIXES) and not gpu["lost"]
    ]
