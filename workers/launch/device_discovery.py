"""Device discovery: the devices of this machine that `--devices` and `--workers-per-device` select for a run."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from itertools import chain

from virnucpro_bus.device_keys import gpus_of, join_gpus, share
from virnucpro_bus.devices import SIMULATED_PREFIX, UUID_PREFIXES, device_of, find_gpu, is_number, visible_gpus
from virnucpro_bus.errors import UserError
from virnucpro_bus.events.vocabulary import NAME_CHARACTERS, Device
from virnucpro_bus.system.child_process import read_output, self_command, stop
from virnucpro_bus.system.cores import usable_cores
from workers.desk.limits import MAX_DEVICES

LOOKUP_SECONDS = 20.0
"""Time for the GPU driver to answer."""
MIG_PREFIX = "MIG-"


def find_devices(spec: str, environment: Mapping[str, str]) -> list[Device]:
    """Return the devices that `spec` selects: auto, cpu:N, cuda:0,1 (NVML indices), GPU UUIDs or their prefixes.

    A plus sign joins the GPUs of one worker: cuda:0+1,2+3, GPU-a+GPU-b. `auto` selects every GPU that
    CUDA_VISIBLE_DEVICES leaves visible (of a divided GPU, its MIG instances). If there is no GPU, it selects one
    CPU device for each core that this process may use. Raises UserError.
    """
    if spec == "auto":
        return _select_all_gpus(environment) or _make_cpus(min(usable_cores(environment).number, MAX_DEVICES))
    kind, _, numbers = spec.partition(":")
    if kind == "cpu":
        if not is_number(numbers) or not 1 <= int(numbers) <= MAX_DEVICES:
            raise UserError(f"--devices {spec}: write cpu:N with N from 1 to {MAX_DEVICES}")
        return _make_cpus(int(numbers))
    groups = [
        [name.strip() for name in group.split("+")] for group in (numbers if kind == "cuda" else spec).split(",")
    ]
    names = list(chain.from_iterable(groups))
    if kind == "cuda" and not all(is_number(name) for name in names):
        raise UserError(f"--devices {spec}: write cuda: and NVML indices, such as cuda:0,1 or cuda:0+1")
    if kind != "cuda" and not all(name.startswith(UUID_PREFIXES) for name in names):
        raise UserError(f"--devices {spec}: write auto, cpu:N, cuda:0,1 or GPU UUIDs (GPU-...,GPU-...)")
    present, divided, _ = _list_gpus()
    selected = [find_gpu(name, present) for name in names]
    if divided_gpu := next((gpu for gpu in selected if gpu.key in divided), None):
        raise UserError(
            f"--devices {spec}: GPU {divided_gpu.key} is divided into MIG instances; name those by UUID (MIG-...)"
        )
    if len({device.key for device in selected}) < len(selected):
        raise UserError(f"--devices {spec}: names a device twice; name each once")
    found = iter(selected)
    return [_join(spec, [next(found) for _ in group]) for group in groups]


def place_workers(devices: Sequence[Device], workers: int) -> list[Device]:
    """Return the devices of so many workers on each of `devices`, which they share. Raises UserError for CPUs."""
    if workers == 1:
        return list(devices)
    option = f"--workers-per-device {workers}"
    if not all(gpus_of(device.key) for device in devices):
        raise UserError(f"{option}: is for GPUs, and none is used here; for N workers write --devices cpu:N")
    if len(devices) * workers > MAX_DEVICES:
        raise UserError(f"{option}: makes {len(devices) * workers} workers; a run has at most {MAX_DEVICES}")
    return [_checked(option, shared) for device in devices for shared in share(device, workers)]


def simulated_gpus(count: int) -> list[Device]:
    """Return `count` simulated GPUs, for a demonstration; their workers use the CPU."""
    return [Device(device_of(f"{SIMULATED_PREFIX}{at}").key, "simulated GPU", at) for at in range(count)]


def _join(spec: str, gpus: Sequence[Device]) -> Device:
    """Return the device of a worker that uses all of `gpus`."""
    if len(gpus) > 1 and any(gpu.key.startswith(MIG_PREFIX) for gpu in gpus):
        raise UserError(f"--devices {spec}: CUDA gives a process one MIG instance; name each by itself")
    return _checked(f"--devices {spec}", join_gpus(gpus))


def _checked(option: str, device: Device) -> Device:
    if len(device.key) > NAME_CHARACTERS:
        most = NAME_CHARACTERS // (len(max(gpus_of(device.key), key=len)) + 1)
        raise UserError(f"{option}: joins too many GPUs for one worker; join at most {most}")
    return device


def _make_cpus(count: int) -> list[Device]:
    return [Device(device_of(f"cpu:{number}").key, "CPU", number) for number in range(count)]


def _select_all_gpus(environment: Mapping[str, str]) -> list[Device]:
    present, divided, some_missing = _list_gpus()
    if not present:
        return []
    selected = visible_gpus(environment, present, divided, some_missing=some_missing)
    if not selected and divided and "CUDA_VISIBLE_DEVICES" not in environment:
        raise UserError(
            f"GPU {min(divided)} is divided into MIG instances, but the driver lists no instance; create one, see "
            "virnucpro-bus doctor, or use --devices cpu:N"
        )
    return selected


def _list_gpus() -> tuple[list[Device], set[str], bool]:
    """List the GPUs and MIG instances that are usable, the keys of divided GPUs, and whether others are missing.

    Usable are those that are not lost and have a UUID that CUDA accepts. A divided GPU itself cannot be worked on.
    The list is made in a process of its own, so that a hung driver costs only a time-out. Raises UserError.
    """
    command = self_command("doctor", "--json")
    no_answer = UserError("the GPU driver does not answer; see virnucpro-bus doctor, or use --devices cpu:N")
    try:
        lookup = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
    except OSError as error:
        raise UserError(f"the GPUs could not be listed ({error.strerror}); see virnucpro-bus doctor") from None
    try:
        output = read_output(lookup, LOOKUP_SECONDS)
        if lookup.returncode:
            raise ValueError(f"exit status {lookup.returncode}")
        report = json.loads(output)
        listed, backend, problems = report["devices"], report["gpu_backend"], report["problems"]
    except subprocess.TimeoutExpired:
        raise no_answer from None
    except (ValueError, KeyError) as error:
        raise UserError(f"the GPUs could not be listed ({error}); see virnucpro-bus doctor") from None
    finally:
        stop(lookup, seconds=0)
        if lookup.stdout is not None:
            lookup.stdout.close()
    if backend is None:
        if not problems:
            raise no_answer
        raise UserError(
            f"the GPUs cannot be read ({'; '.join(problems)}); use --devices cpu:N to run without them"
        )
    present = [
        Device(gpu["uuid"], gpu["name"] or "", gpu["index"])
        for gpu in listed
        if gpu["uuid"].startswith(UUID_PREFIXES) and not gpu["lost"]
    ]
    divided = {gpu["uuid"] for gpu in listed if gpu["divided"]}
    return present, divided, len(present) < len(listed)
