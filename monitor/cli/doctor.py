"""The subcommand `doctor`: checks this machine, and prints plain lines or one JSON object."""

from __future__ import annotations

import json
import os
import platform
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypedDict

import click

from monitor.gpu.backends import has_driver
from monitor.gpu.hardware import has_nvidia_gpu
from monitor.gpu.monitor import GPUMonitor
from monitor.gpu.reading import GpuReading
from virnucpro_bus.devices import UUID_PREFIXES, unread_entry, visible_gpus
from virnucpro_bus.errors import UserError
from virnucpro_bus.files.socket_folder import socket_folder
from virnucpro_bus.system.cores import usable_cores
from virnucpro_bus.text import visible
from virnucpro_bus.units import UNKNOWN

DRIVER_SECONDS = 15.0
"""Longer than a cold start of many GPUs; a driver that takes longer is reported as hanging."""
LINE_CHARACTERS = 80
"""The width of the printed report."""
GIB = 2**30

_WRAPPER = textwrap.TextWrapper(
    LINE_CHARACTERS,
    initial_indent="  - ",
    subsequent_indent="    ",
    break_long_words=False,
    break_on_hyphens=False,
)
_PACKAGES = ("virnucpro-bus", "pyzmq", "msgpack", "msgspec", "rich", "nvidia-ml-py")
_VARIABLES = ("CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER")

EXAMPLE = """\b
Examples:
  virnucpro-bus doctor
  virnucpro-bus doctor --json
  virnucpro-bus doctor results/monday
"""


class GpuInventoryRow(TypedDict):
    """One GPU; None means unknown."""

    index: int | None
    name: str | None
    uuid: str
    memory_used_bytes: int | None
    memory_total_bytes: int | None
    lost: bool
    mig_of: str | None
    """The UUID of the GPU of which this is a MIG instance; None for a whole GPU."""
    divided: bool
    """Whether it is in MIG mode: only its instances can be used."""


class Report(TypedDict):
    """The report of `doctor`; the keys of its JSON object."""

    versions: dict[str, str | None]
    """None for a package that is not installed."""
    gpu_backend: str | None
    """How the GPUs were read: "nvml", "nvidia-smi", "none"; None when the driver did not answer."""
    has_nvidia_gpu: bool | None
    """Whether this machine shows an NVIDIA GPU, with or without a driver; None when that cannot be seen."""
    devices: list[GpuInventoryRow]
    environment: dict[str, str | None]
    """None for a variable that is not set, unlike one that is empty."""
    cpus: int | None
    """The machine's CPUs; None when their number is unknown."""
    cpus_usable: int
    """The CPUs that this process may use; a run without GPUs has as many workers."""
    cpus_limit: str | None
    """What allows no more of them, such as a container's quota; None: the machine has no more."""
    socket_folder: str | None
    """Where a run in RUN_DIR would put its sockets; None when no folder can be used."""
    problems: list[str]
    """One line per problem, with what to do about it."""


@click.command(epilog=EXAMPLE)
@click.argument("run_dir", required=False, default=".", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print the report as one JSON object.")
def doctor(run_dir: Path, as_json: bool) -> None:
    """Check this machine, and list what is wrong and what to do about it.

    The report has the package versions, the GPUs and how they are read, and the folder for the sockets of a run in
    RUN_DIR (default: the current folder). Nothing is changed. The exit status is 0 on a machine without GPUs too.
    """
    report = examine(run_dir, os.environ)
    click.echo(json.dumps(report, indent=2) if as_json else render(report))


def examine(run_dir: Path, environment: Mapping[str, str]) -> Report:
    """Examine this machine. Takes DRIVER_SECONDS when the GPU driver hangs."""
    monitor = GPUMonitor()
    readings = monitor.readings(wait_seconds=DRIVER_SECONDS)
    backend, problems = monitor.backend_name, monitor.problems
    monitor.close()
    has_gpu = bool(readings) or has_driver() or has_nvidia_gpu()
    if has_gpu is False:
        problems = []  # it needs no driver
    if backend is None and not problems:
        problems.append(f"GPU driver: no answer within {DRIVER_SECONDS:.0f} s, it hangs; check dmesg, or reboot")
    if backend == "nvml" and not readings and not problems:
        problems.append("GPU driver: reports no GPU; start the container or job with its GPUs, or check lspci")
    problems += [_loss_line(reading) for reading in readings if reading.lost and reading.mig_of is None]
    problems += _visibility_problems(readings, environment)
    cores = usable_cores(environment)
    sockets: str | None = None
    try:
        sockets = str(socket_folder(run_dir))
    except UserError as why:
        problems.append(f"sockets: {why}")
    return {
        "versions": _versions(),
        "gpu_backend": backend,
        "has_nvidia_gpu": has_gpu,
        "devices": [_device(reading) for reading in readings],
        "environment": {name: environment.get(name) for name in _VARIABLES},
        "cpus": os.cpu_count(),
        "cpus_usable": cores.number,
        "cpus_limit": cores.limit,
        "socket_folder": sockets,
        "problems": problems,
    }


def render(report: Report) -> str:
    """Return `report` as plain lines for a terminal of 80 columns."""
    lines = ["Versions"]
    lines += [f"  {name:<14} {version or 'not installed'}" for name, version in report["versions"].items()]
    backend = report["gpu_backend"]
    source = {None: " (the driver does not answer)", "none": ""}.get(backend, f" (read by {backend})")
    lines += ["", f"GPUs{source}"]
    for device in report["devices"]:
        index = "-" if device["index"] is None else device["index"]
        lines.append(f"  {index:>2}  {visible(device['name'] or 'name unknown')}  {_memory(device)}")
        lines.append(f"      {visible(device['uuid'])}")
    if not report["devices"]:
        lines.append("  none: this machine has no NVIDIA GPU" if report["has_nvidia_gpu"] is False else "  none")
    lines += ["", "Environment"]
    lines += [f"  {name} {_setting(value)}" for name, value in report["environment"].items()]
    limit = f" ({report['cpus_limit']})" if report["cpus_limit"] else ""
    lines.append(f"  CPUs: {report['cpus_usable']} usable of {report['cpus'] or 'an unknown number'}{limit}")
    lines.append(f"  socket folder: {visible(report['socket_folder'] or 'none, see Problems')}")
    lines += ["", "Problems"]
    for problem in report["problems"]:
        lines += _WRAPPER.wrap(visible(problem))
    if not report["problems"]:
        lines.append("  none")
    return "\n".join(lines)


def _versions() -> dict[str, str | None]:
    import importlib.metadata

    import zmq

    versions: dict[str, str | None] = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            versions[package] = None
    versions["libzmq"] = zmq.zmq_version()
    return versions


def _device(reading: GpuReading) -> GpuInventoryRow:
    return {
        "index": reading.device.index,
        "name": reading.device.name or None,
        "uuid": reading.device.key,
        "memory_used_bytes": reading.memory_used_bytes,
        "memory_total_bytes": reading.memory_total_bytes,
        "lost": reading.lost,
        "mig_of": reading.mig_of,
        "divided": reading.divided,
    }


def _visibility_problems(readings: Sequence[GpuReading], environment: Mapping[str, str]) -> list[str]:
    """List the problems of CUDA_VISIBLE_DEVICES; empty when no GPU is known, since it cannot be checked then."""
    divided = {reading.device.key for reading in readings if reading.divided}
    readable = [each.device for each in readings if not each.lost and each.device.key.startswith(UUID_PREFIXES)]
    if not readable:
        return []
    problems = []
    if (entry := unread_entry(environment)) is not None:
        problems.append(
            f'CUDA_VISIBLE_DEVICES: CUDA stops reading at "{entry}", which is neither an index nor a UUID; use '
            "indices or UUIDs, or unset it"
        )
    try:
        visible_gpus(environment, readable, divided, some_missing=len(readable) < len(readings))
    except UserError as why:
        problems.append(str(why))
    return problems


def _loss_line(reading: GpuReading) -> str:
    return f"GPU {reading.device.index} ({reading.device.key}): is lost; check dmesg, reset it, or reboot"


def _memory(device: GpuInventoryRow) -> str:
    if device["lost"]:
        return "LOST"
    used, total = (
        UNKNOWN if size is None else f"{size / GIB:.1f}"
        for size in (device["memory_used_bytes"], device["memory_total_bytes"])
    )
    return f"{used} of {total} GiB used"


def _setting(value: str | None) -> str:
    if value is None:
        return "is not set"
    return f"= {visible(value)}" if value else "is set and empty"
