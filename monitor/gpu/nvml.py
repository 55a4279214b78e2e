"""GPUs as NVML tells them, asked by nvidia-ml-py."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from monitor.gpu.reading import BackendUnavailable, DeviceMemory, GpuReading, driver_text, in_one_line
from virnucpro_bus.clock import NANOSECONDS, Clock
from virnucpro_bus.events.vocabulary import Device

REOPEN_SECONDS = 5

# NVML's return codes are a stable ABI; spelt here because the binding is imported late or not at all.
_UNINITIALIZED, _DRIVER_NOT_LOADED, _LIBRARY_NOT_FOUND, _MISMATCH, _UNKNOWN = 1, 9, 12, 18, 999
_NO_PERMISSION, _GPU_IS_LOST, _GPU_NOT_FOUND = 4, 15, 28
_TIMEOUT, _FUNCTION_NOT_FOUND, _RESET_REQUIRED, _OPERATING_SYSTEM, _MEMORY = 10, 13, 16, 17, 20
_NVML_GONE = {_UNINITIALIZED, _DRIVER_NOT_LOADED, _LIBRARY_NOT_FOUND, _MISMATCH}
_LOST = {_GPU_IS_LOST, _GPU_NOT_FOUND}
# A GPU has not everything, an empty slot no instance, an old driver not the newest form: no reason to complain.
_NOT_SUPPORTED, _NOT_FOUND, _OTHER_VERSION = 3, 6, 25
_USUAL = {_NOT_SUPPORTED, _NOT_FOUND, _FUNCTION_NOT_FOUND, _OTHER_VERSION}
_TEMPERATURE_GPU, _MEMORY_V2 = 0, 0x02000028
_REBOOT = "look into dmesg, or reboot"
_ADVICE = {
    _NO_PERMISSION: "give your user access to /dev/nvidia*",
    _DRIVER_NOT_LOADED: "load the driver (modprobe nvidia), or start the container with its GPUs",
    _LIBRARY_NOT_FOUND: "install the NVIDIA driver, or start the container with its GPUs",
    _MISMATCH: "the driver was updated under the running kernel: reboot, or reload the nvidia modules",
    _TIMEOUT: f"the driver is slow or hangs: {_REBOOT}",
    _FUNCTION_NOT_FOUND: "the driver is too old for this: update it",
    _RESET_REQUIRED: "have the GPU reset, or reboot",
    _OPERATING_SYSTEM: "the system or the container keeps it away: give it access to /dev/nvidia*",
    _MEMORY: "free some memory of this machine, or reboot",
    _UNKNOWN: "the device files may have been taken away: restart the container, or reboot",
}


class _NvmlGone(Exception):
    """NVML as a whole has stopped working."""


class NvmlBackend:
    """GPUs as NVML tells them, MIG instances included. Raises BackendUnavailable when NVML does not start.

    `nvml` is the pynvml module of nvidia-ml-py, or something with the same functions.
    """

    name = "nvml"

    def __init__(self, nvml: Any, clock: Clock, problems: Sequence[str] = ()) -> None:
        self._nvml = nvml
        self._clock = clock
        self._notes = tuple(problems)
        self._devices = DeviceMemory()
        self._last: list[GpuReading] = []
        self._refused: list[str] = []
        self._trouble = self._start()
        if self._trouble:
            raise BackendUnavailable(self._trouble)

    @property
    def problems(self) -> Sequence[str]:
        return (*self._notes, self._trouble) if self._trouble else (*self._notes, *self._refused)

    def readings(self) -> list[GpuReading]:
        if self._trouble and self._clock.mono_ns() - self._tried_ns >= REOPEN_SECONDS * NANOSECONDS:
            # The binding counts its starts; what is left of the old one has to go first.
            self.close()
            self._trouble = self._start()
        if not self._trouble:
            try:
                self._last = self._read_all()
            except _NvmlGone as why:
                self._trouble = f"NVML: stopped answering, {why}"
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
        first = _Inquiry(self._nvml)
        count = first.ask("nvmlDeviceGetCount")
        if count is None:
            raise _NvmlGone(first.refused or f"the GPUs cannot be counted; {_REBOOT}")
        gpus = []
        for index in range(count):
            inquiry = _Inquiry(self._nvml)
            handle = inquiry.ask("nvmlDeviceGetHandleByIndex", index)
            gpus.append((index, handle, driver_text(inquiry.ask("nvmlDeviceGetUUID", handle)), inquiry))
        present = {uuid for _, _, uuid, _ in gpus if uuid}
        readings: list[GpuReading] = []
        for index, handle, uuid, inquiry in gpus:
            name = driver_text(inquiry.ask("nvmlDeviceGetName", handle))
            device = self._devices.identify(index, uuid, name, present)
            mode = inquiry.ask("nvmlDeviceGetMigMode", handle)
            divided = mode is not None and mode[0] == 1
            readings.append(_read_gpu(inquiry, handle, device, divided))
            if divided:
                readings += _read_instances(inquiry, handle, device.key)
        self._refused = [
            f"NVML: GPU {index}: {trouble}"
            for index, _, uuid, inquiry in gpus
            if not inquiry.lost and (trouble := _complaint(inquiry, uuid)) is not None
        ]
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
        self.question = ""
        self.refused: str | None = None
        """Why `question` was refused, the first that was for a reason that is not usual."""
        self.trouble: str | None = None
        """What an "Unknown Error" looks like, if there was one."""

    def ask(self, function: str, *arguments: object) -> Any:
        """The answer; None when there is none, as about a handle that there is not. Raises _NvmlGone."""
        if None in arguments:
            return None
        try:
            return getattr(self._nvml, function)(*arguments)
        except (AttributeError, TypeError):
            return None  # a binding older or newer than we know, or of another make: no such question in this form
        except UnicodeDecodeError as why:
            return why.object  # the binding decodes strictly; we do not
        except self._nvml.NVMLError as why:
            if why.value in _NVML_GONE:
                raise _NvmlGone(_explain(why)) from None
            self.lost = self.lost or why.value in _LOST
            if self.refused is None and why.value not in _USUAL:
                self.question, self.refused = function, _explain(why)
            if why.value == _UNKNOWN:
                self.trouble = _explain(why)
            return None


def _complaint(inquiry: _Inquiry, uuid: str | None) -> str | None:
    """What is wrong with a GPU that is not lost; None when nothing is."""
    if uuid is None:
        return inquiry.refused or f"does not tell its UUID; {_ADVICE[_FUNCTION_NOT_FOUND]}"
    return inquiry.refused and f"{inquiry.question}: {inquiry.refused}"


def _read_gpu(inquiry: _Inquiry, handle: Any, device: Device, divided: bool) -> GpuReading:
    rates = inquiry.ask("nvmlDeviceGetUtilizationRates", handle)
    compute = None if rates is None else rates.gpu
    used, total = _read_memory(inquiry, handle)
    temperature = inquiry.ask("nvmlDeviceGetTemperatureV", handle, _TEMPERATURE_GPU)
    if temperature is None:
        temperature = inquiry.ask("nvmlDeviceGetTemperature", handle, _TEMPERATURE_GPU)
    milliwatts = inquiry.ask("nvmlDeviceGetPowerUsage", handle)
    watts = None if milliwatts is None else milliwatts / 1000
    # Counted since the driver was loaded; GPUs older than Volta do not count.
    energy = inquiry.ask("nvmlDeviceGetTotalEnergyConsumption", handle)
    return GpuReading(device, compute, used, total, temperature, watts, inquiry.lost, energy, divided=divided)


def _read_instances(inquiry: _Inquiry, handle: Any, whole: str) -> list[GpuReading]:
    """The MIG instances of the GPU `whole`. NVML knows their memory only; load, heat, power and energy are the
    whole GPU's."""
    readings = []
    for slot in range(inquiry.ask("nvmlDeviceGetMaxMigDeviceCount", handle) or 0):
        child = inquiry.ask("nvmlDeviceGetMigDeviceHandleByIndex", handle, slot)
        uuid = driver_text(inquiry.ask("nvmlDeviceGetUUID", child))
        if uuid is not None:
            device = Device(uuid, driver_text(inquiry.ask("nvmlDeviceGetName", child)) or "")
            readings.append(GpuReading(device, None, *_read_memory(inquiry, child), mig_of=whole))
    return readings


def _read_memory(inquiry: _Inquiry, handle: Any) -> tuple[int | None, int | None]:
    """Bytes used and in all. The newer form counts as nvidia-smi does; the older adds what the driver keeps."""
    memory = inquiry.ask("nvmlDeviceGetMemoryInfo", handle, _MEMORY_V2)
    if memory is None:
        memory = inquiry.ask("nvmlDeviceGetMemoryInfo", handle)
    return (None, None) if memory is None else (memory.used, memory.total)


def _explain(error: Any) -> str:
    return f"{in_one_line(error).rstrip('.')} (code {error.value}); {_ADVICE.get(error.value, _REBOOT)}"
