"""What the driver says of this machine's GPUs: three backends with equal methods, and the choice among them.

`NvmlBackend` asks NVML by nvidia-ml-py, `SmiBackend` runs nvidia-smi, `NullBackend` knows no GPU and says why.
Errors are handled per field: what cannot be known is None, and the rest of the reading lives on. A GPU that has
gone is a reading with `lost` set, under the identity it had before.

Any call here may hang with the driver; `monitor.gpu.GPUMonitor` keeps that away from callers.
"""

from __future__ import annotations

import csv
import importlib
import importlib.metadata
import math
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import msgspec

from virnucpro_bus.clock import NANOSECONDS, Clock
from virnucpro_bus.errors import BusError
from virnucpro_bus.events import Device, GpuSampled

REOPEN_SECONDS = 5
SMI_SECONDS = 10
MIB_BYTES = 2**20

_SMI_FIELDS = "index,uuid,name,utilization.gpu,memory.used,memory.total,temperature.gpu,power.draw"
_NEEDED_NAMES = ("NVMLError", "nvmlInit", "nvmlShutdown", "nvmlDeviceGetCount", "nvmlDeviceGetHandleByIndex")

# NVML's return codes are a stable ABI; spelt here because the binding is imported late or not at all.
_UNINITIALIZED, _DRIVER_NOT_LOADED, _LIBRARY_NOT_FOUND, _MISMATCH, _UNKNOWN = 1, 9, 12, 18, 999
_NO_PERMISSION, _GPU_IS_LOST, _GPU_NOT_FOUND = 4, 15, 28
_NVML_GONE = {_UNINITIALIZED, _DRIVER_NOT_LOADED, _LIBRARY_NOT_FOUND, _MISMATCH}
_LOST = {_GPU_IS_LOST, _GPU_NOT_FOUND}
_TEMPERATURE_GPU, _MEMORY_V2 = 0, 0x02000028
_ADVICE = {
    _NO_PERMISSION: "give your user access to /dev/nvidia*",
    _DRIVER_NOT_LOADED: "load the driver (modprobe nvidia), or start the container with its GPUs",
    _LIBRARY_NOT_FOUND: "install the NVIDIA driver, or start the container with its GPUs",
    _MISMATCH: "the driver was updated under the running kernel: reboot, or reload the nvidia modules",
    _UNKNOWN: "the device files may have been taken away: restart the container, or reboot",
}
_FIGURES = ("compute_percent", "memory_used_bytes", "memory_total_bytes", "temperature_celsius", "power_watts")
_IN_EVENT = {field.name: field.type for field in msgspec.structs.fields(GpuSampled)}


class BackendUnavailable(BusError):
    """This way of reading GPUs does not work here. The text is one line that says why and what to do."""


class _NvmlGone(Exception):
    """NVML as a whole has stopped working."""


@dataclass(frozen=True)
class GpuReading:
    """One look at one GPU. Every field may be unknown (None) on its own.

    `device.key` is the UUID, or "nvml:INDEX" for a GPU whose UUID has never been readable; `device.index` is
    NVML's index, None for a MIG instance. A number that no event may carry (NaN, a driver's sentinel) is unknown.
    """

    device: Device
    compute_percent: float | None = None
    memory_used_bytes: int | None = None
    memory_total_bytes: int | None = None
    temperature_celsius: float | None = None
    power_watts: float | None = None
    lost: bool = False

    def __post_init__(self) -> None:
        for name in _FIGURES:
            try:
                value = msgspec.convert(getattr(self, name), _IN_EVENT[name])
            except msgspec.ValidationError:
                value = None
            object.__setattr__(self, name, value)

    @property
    def memory_percent(self) -> float | None:
        """Used / total; None when either is unknown or they contradict each other."""
        if self.memory_used_bytes is None or not self.memory_total_bytes:
            return None
        percent = 100 * self.memory_used_bytes / self.memory_total_bytes
        return percent if percent <= 100 else None

    def blank(self) -> GpuReading:
        """The same GPU, nothing known of it but whether it was lost."""
        return GpuReading(self.device, lost=self.lost)


class GpuBackend(Protocol):
    """A way to read GPUs: "nvml", "nvidia-smi" or "none" by `name`. One caller at a time; nothing in it raises."""

    @property
    def name(self) -> str: ...

    @property
    def problems(self) -> Sequence[str]:
        """One line for each thing that is not as it should be, with what to do about it."""

    def readings(self) -> list[GpuReading]:
        """Every GPU of this machine, in NVML's order, then those that have gone. May take long."""

    def close(self) -> None: ...


@dataclass(frozen=True)
class NullBackend:
    """No GPU can be read here."""

    problems: Sequence[str] = ()
    name: str = "none"

    def readings(self) -> list[GpuReading]:
        return []

    def close(self) -> None:
        pass


class SmiBackend:
    """Whole GPUs (no MIG instances) as nvidia-smi prints them. Raises BackendUnavailable when made where it
    shows none."""

    name = "nvidia-smi"

    def __init__(self, problems: Sequence[str] = ()) -> None:
        program = shutil.which("nvidia-smi")
        if program is None:
            raise BackendUnavailable("nvidia-smi: not found; install the NVIDIA driver or put it on PATH")
        self.problems = tuple(problems)
        self._command = (program, f"--query-gpu={_SMI_FIELDS}", "--format=csv,noheader,nounits")
        self._devices = _DeviceMemory()
        self._last: list[GpuReading] = []
        rows, why = self._query()
        if not rows:
            raise BackendUnavailable(f"nvidia-smi: {why}")

    def readings(self) -> list[GpuReading]:
        rows, _ = self._query()
        if rows:
            present = {uuid for row in rows if (uuid := _smi_text(row[1]))}
            self._last = self._devices.with_missing([self._reading(row, present) for row in rows])
        else:
            self._last = [reading.blank() for reading in self._last]
        return list(self._last)

    def close(self) -> None:
        pass

    def _query(self) -> tuple[list[list[str]], str]:
        """The rows, and in words why there are none. The exit status is not asked: one lost GPU sets it."""
        try:
            done = subprocess.run(self._command, capture_output=True, timeout=SMI_SECONDS, check=False)
        except subprocess.TimeoutExpired:
            return [], f"no answer within {SMI_SECONDS} s; the driver hangs, look into dmesg"
        except OSError as why:
            return [], f"cannot be run ({why.strerror})"
        lines = (done.stdout + done.stderr).decode("utf-8", "replace").strip().splitlines()
        width = _SMI_FIELDS.count(",") + 1
        rows = [row for row in csv.reader(lines, skipinitialspace=True) if len(row) == width]
        return [row for row in rows if row[0].isdecimal()], lines[0] if lines else "shows no GPU"

    def _reading(self, row: list[str], present: set[str]) -> GpuReading:
        uuid, name = _smi_text(row[1]), _smi_text(row[2])
        device = self._devices.identify(int(row[0]), uuid, name, present)
        compute, used_mib, total_mib, temperature, power = map(_smi_number, row[3:])
        used, total = (None if mib is None else int(mib * MIB_BYTES) for mib in (used_mib, total_mib))
        lost = any("GPU is lost" in cell for cell in row)
        return GpuReading(device, compute, used, total, temperature, power, lost)


class NvmlBackend:
    """GPUs as NVML tells them, MIG instances included. Raises BackendUnavailable when NVML does not start.

    `nvml` is the pynvml module of nvidia-ml-py, or something with the same functions.
    """

    name = "nvml"

    def __init__(self, nvml: Any, clock: Clock, problems: Sequence[str] = ()) -> None:
        self._nvml = nvml
        self._clock = clock
        self._notes = tuple(problems)
        self._devices = _DeviceMemory()
        self._last: list[GpuReading] = []
        self._trouble = self._start()
        if self._trouble:
            raise BackendUnavailable(self._trouble)

    @property
    def problems(self) -> Sequence[str]:
        return (*self._notes, self._trouble) if self._trouble else self._notes

    def readings(self) -> list[GpuReading]:
        if self._trouble and self._clock.mono_ns() - self._tried_ns >= REOPEN_SECONDS * NANOSECONDS:
            # The binding counts its starts; what is left of the old one has to go first.
            self.close()
            self._trouble = self._start()
        if not self._trouble:
            try:
                self._last = self._read_all()
            except _NvmlGone as why:
                self._trouble = f"NVML: lost while running, {why}"
        if self._trouble:
            self._last = [reading.blank() for reading in self._last]
        return list(self._last)

    def close(self) -> None:
        try:
            self._nvml.nvmlShutdown()
        except self._nvml.NVMLError:
            pass

    def _start(self) -> str | None:
        """Why it failed; None when NVML runs."""
        self._tried_ns = self._clock.mono_ns()
        try:
            self._nvml.nvmlInit()
        except self._nvml.NVMLError as why:
            return f"NVML: {_explain(why)}"
        return None

    def _read_all(self) -> list[GpuReading]:
        count = _Inquiry(self._nvml).ask("nvmlDeviceGetCount")
        if count is None:
            raise _NvmlGone("the GPUs cannot be counted")
        gpus = []
        for index in range(count):
            inquiry = _Inquiry(self._nvml)
            handle = inquiry.ask("nvmlDeviceGetHandleByIndex", index)
            gpus.append((index, handle, _text(inquiry.ask("nvmlDeviceGetUUID", handle)), inquiry))
        present = {uuid for _, _, uuid, _ in gpus if uuid}
        readings: list[GpuReading] = []
        for index, handle, uuid, inquiry in gpus:
            name = _text(inquiry.ask("nvmlDeviceGetName", handle))
            device = self._devices.identify(index, uuid, name, present)
            readings += [_read_gpu(inquiry, handle, device), *_read_mig(inquiry, handle)]
        troubles = [inquiry.trouble for *_, inquiry in gpus if inquiry.trouble]
        if troubles and all(reading == reading.blank() for reading in readings):
            # Seen in containers whose device files were taken away: every question ends in "Unknown Error".
            raise _NvmlGone(troubles[0])
        return self._devices.with_missing(readings)


class _Inquiry:
    """Asks the driver about one GPU, field by field, and remembers what the refusals meant."""

    def __init__(self, nvml: Any) -> None:
        self._nvml = nvml
        self.lost = False
        self.trouble: str | None = None

    def ask(self, function: str, *arguments: object) -> Any:
        """The answer; None when there is none, as about a handle that there is not. Raises _NvmlGone."""
        if None in arguments:
            return None
        try:
            return getattr(self._nvml, function)(*arguments)
        except AttributeError:
            return None  # a binding older or newer than we know
        except UnicodeDecodeError as why:
            return why.object  # the binding decodes strictly; we do not
        except self._nvml.NVMLError as why:
            if why.value in _NVML_GONE:
                raise _NvmlGone(_explain(why)) from None
            self.lost = self.lost or why.value in _LOST
            if why.value == _UNKNOWN:
                self.trouble = _explain(why)
            return None


class _DeviceMemory:
    """Who the GPUs are, kept for the time when they can no longer say so themselves."""

    def __init__(self) -> None:
        self._known: dict[str, Device] = {}

    def identify(self, index: int, uuid: str | None, name: str | None, present: set[str]) -> Device:
        """The device at `index`. `present` holds all UUIDs of this look: those cannot be the silent one."""
        if uuid is None:
            silent = (old for old in self._known.values() if old.index == index and old.key not in present)
            return next(silent, Device(f"nvml:{index}", name or "", index))
        old = self._known.get(uuid)
        self._known[uuid] = Device(uuid, name or (old.name if old else ""), index)
        return self._known[uuid]

    def with_missing(self, readings: Iterable[GpuReading]) -> list[GpuReading]:
        """`readings`, then a lost one for each GPU seen before and not listed any more."""
        listed = list(readings)
        keys = {reading.device.key for reading in listed}
        return listed + [GpuReading(old, lost=True) for key, old in self._known.items() if key not in keys]


def open_backend(clock: Clock, nvml: Any = None) -> GpuBackend:
    """NVML, else nvidia-smi, else nothing. Never raises; the reasons for stepping down are its `problems`.

    `nvml` stands in for the pynvml module. May take long: starting NVML wakes the GPUs.
    """
    problems: list[str] = []
    try:
        return NvmlBackend(nvml or import_pynvml(problems), clock, problems)
    except BackendUnavailable as why:
        problems.append(str(why))
    try:
        return SmiBackend(problems)
    except BackendUnavailable as why:
        problems.append(str(why))
    return NullBackend(problems)


def import_pynvml(problems: list[str]) -> Any:
    """nvidia-ml-py's module. Another one that would do is taken and named in `problems`.

    Raises BackendUnavailable when there is none, or one that lacks what is needed.
    """
    try:
        nvml = importlib.import_module("pynvml")
    except Exception as why:
        # Other packages of that name raise all sorts of things when they are imported.
        raise BackendUnavailable(f"NVML: cannot import pynvml ({_line(why)}); pip install nvidia-ml-py") from None
    place = nvml.__file__ or "an unknown place"
    remedy = "pip uninstall pynvml; pip install --force-reinstall nvidia-ml-py"
    if missing := [name for name in _NEEDED_NAMES if not hasattr(nvml, name)]:
        raise BackendUnavailable(f"NVML: the pynvml module at {place} lacks {missing[0]}; {remedy}")
    try:
        ours = Path(str(importlib.metadata.distribution("nvidia-ml-py").locate_file("pynvml.py"))).resolve()
    except importlib.metadata.PackageNotFoundError:
        ours = None
    if ours != Path(place).resolve():
        problems.append(f"NVML: the pynvml module at {place} is not nvidia-ml-py's; {remedy}")
    return nvml


def _read_gpu(inquiry: _Inquiry, handle: Any, device: Device) -> GpuReading:
    rates = inquiry.ask("nvmlDeviceGetUtilizationRates", handle)
    compute = None if rates is None else rates.gpu
    used, total = _read_memory(inquiry, handle)
    temperature = inquiry.ask("nvmlDeviceGetTemperatureV", handle, _TEMPERATURE_GPU)
    if temperature is None:
        temperature = inquiry.ask("nvmlDeviceGetTemperature", handle, _TEMPERATURE_GPU)
    milliwatts = inquiry.ask("nvmlDeviceGetPowerUsage", handle)
    watts = None if milliwatts is None else milliwatts / 1000
    return GpuReading(device, compute, used, total, temperature, watts, lost=inquiry.lost)


def _read_mig(inquiry: _Inquiry, handle: Any) -> list[GpuReading]:
    """The MIG instances of a GPU. NVML knows their memory only; load, heat and power belong to the whole GPU."""
    mode = inquiry.ask("nvmlDeviceGetMigMode", handle)
    slots = inquiry.ask("nvmlDeviceGetMaxMigDeviceCount", handle) if mode is not None and mode[0] == 1 else 0
    readings = []
    for slot in range(slots or 0):
        child = inquiry.ask("nvmlDeviceGetMigDeviceHandleByIndex", handle, slot)
        uuid = _text(inquiry.ask("nvmlDeviceGetUUID", child))
        if uuid is not None:
            device = Device(uuid, _text(inquiry.ask("nvmlDeviceGetName", child)) or "")
            readings.append(GpuReading(device, None, *_read_memory(inquiry, child)))
    return readings


def _read_memory(inquiry: _Inquiry, handle: Any) -> tuple[int | None, int | None]:
    """Bytes used and in all. The newer form counts as nvidia-smi does; the older adds what the driver keeps."""
    memory = inquiry.ask("nvmlDeviceGetMemoryInfo", handle, _MEMORY_V2)
    if memory is None:
        memory = inquiry.ask("nvmlDeviceGetMemoryInfo", handle)
    return (None, None) if memory is None else (memory.used, memory.total)


def _text(value: str | bytes | None) -> str | None:
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    return value.strip()[:256] or None if value else None


def _smi_text(cell: str) -> str | None:
    return None if cell.startswith("[") else _text(cell)


def _smi_number(cell: str) -> float | None:
    """None for [N/A], [Not Supported], [Unknown Error], [GPU is lost] and whatever else is no number."""
    try:
        number = float(cell)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _explain(error: Any) -> str:
    return f"{_line(error).rstrip('.')} (code {error.value}); {_ADVICE.get(error.value, 'see nvidia-smi')}"


def _line(why: object) -> str:
    return " ".join(str(why).split())
