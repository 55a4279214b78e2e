"""Which devices a run uses: what `--devices` says, looked up on this machine."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping

from virnucpro_bus.devices import SIMULATED_PREFIX, UUID_PREFIXES, device_of, find_gpu, is_number, visible_gpus
from virnucpro_bus.errors import UserError
from virnucpro_bus.events.vocabulary import Device
from virnucpro_bus.system.child_process import self_command, stop

LOOKUP_SECONDS = 20.0
MAX_DEVICES = 1024
"""What one event can list with room to spare; it takes a process each."""


def find_devices(spec: str, environment: Mapping[str, str]) -> list[Device]:
    """The devices that `spec` names: auto, cpu:N, cuda:0,1 (NVML indices), or GPU UUIDs or their beginnings.

    `auto` is every GPU that CUDA_VISIBLE_DEVICES leaves (of one that is divided, its MIG instances), else one CPU
    device a usable core. Raises UserError.
    """
    if spec == "auto":
        return _all_gpus(environment) or _cpus(len(os.sched_getaffinity(0)))
    kind, _, numbers = spec.partition(":")
    if kind == "cpu":
        if not is_number(numbers) or not 1 <= int(numbers) <= MAX_DEVICES:
            raise UserError(f"--devices {spec}: write cpu:N with N from 1 to {MAX_DEVICES}")
        return _cpus(int(numbers))
    names = [name.strip() for name in (numbers if kind == "cuda" else spec).split(",")]
    if kind == "cuda" and not all(is_number(name) for name in names):
        raise UserError(f"--devices {spec}: write cuda: and NVML indices, such as cuda:0,1")
    if kind != "cuda" and not all(name.startswith(UUID_PREFIXES) for name in names):
        raise UserError(f"--devices {spec}: write auto, cpu:N, cuda:0,1 or GPU UUIDs (GPU-...,GPU-...)")
    present, divided, _ = _gpus()
    chosen = [find_gpu(name, present) for name in names]
    if whole := next((gpu for gpu in chosen if gpu.key in divided), None):
        raise UserError(
            f"--devices {spec}: GPU {whole.key} is divided into MIG instances; name those by UUID (MIG-...)"
        )
    if len({device.key for device in chosen}) < len(chosen):
        raise UserError(f"--devices {spec}: names a device twice")
    return chosen


def simulated_gpus(count: int) -> list[Device]:
    """So many GPUs that are not there, to see what it all looks like; their workers work on a CPU."""
    return [Device(device_of(f"{SIMULATED_PREFIX}{at}").key, "simulated GPU", at) for at in range(count)]


def _cpus(count: int) -> list[Device]:
    return [Device(device_of(f"cpu:{number}").key, "CPU", number) for number in range(count)]


def _all_gpus(environment: Mapping[str, str]) -> list[Device]:
    present, divided, some_missing = _gpus()
    if not present:
        return []
    chosen = visible_gpus(environment, present, divided, some_missing=some_missing)
    if not chosen and divided and "CUDA_VISIBLE_DEVICES" not in environment:
        raise UserError(
            f"GPU {min(divided)} is divided into MIG instances, of which none is known; make some, or see "
            "virnucpro-bus doctor, or use --devices cpu:N"
        )
    return chosen


def _gpus() -> tuple[list[Device], set[str], bool]:
    """The GPUs that are not lost and have a UUID that CUDA knows them by, MIG instances among them; the keys of
    those that cannot be worked on because they are divided into such; and whether there are others than these.

    Asked of a process of its own, so that a hung driver costs a time-out and no more.
    """
    command = self_command("doctor", "--json")
    silent = UserError("the GPU driver does not answer; see virnucpro-bus doctor, or use --devices cpu:N")
    asked = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        answer, _ = asked.communicate(timeout=LOOKUP_SECONDS)
        if asked.returncode:
            raise ValueError(f"exit status {asked.returncode}")
        report = json.loads(answer)
        found, backend, problems = report["devices"], report["gpu_backend"], report["problems"]
    except subprocess.TimeoutExpired:
        raise silent from None
    except (ValueError, KeyError) as error:
        raise UserError(f"the GPUs could not be listed ({error}); see virnucpro-bus doctor") from None
    finally:
        stop(asked, seconds=0)
        if asked.stdout is not None:
            asked.stdout.close()
    if backend is None:
        why = "; ".join(problems)
        raise UserError(f"the GPUs cannot be read ({why}); use --devices cpu:N to do without") if why else silent
    present = [
        Device(gpu["uuid"], gpu["name"] or "", gpu["index"])
        for gpu in found
        if gpu["uuid"].startswith(UUID_PREFIXES) and not gpu["lost"]
    ]
    divided = {gpu["uuid"] for gpu in found if gpu["divided"]}
    return present, divided, len(present) < len(found)
