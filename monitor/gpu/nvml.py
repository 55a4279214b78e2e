"""The NVML backend, through the pynvml module of nvidia-ml-py."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from monitor.gpu.reading import BackendUnavailable, GpuReading, KnownGpus, driver_text, in_one_line
from virnucpro_bus.clock import NANOSECONDS, Clock
from virnucpro_bus.events.vocabulary import Device

REOPEN_SECONDS = 5
"""How long after a failure NVML is started again."""

# NVML's return codes are a stable ABI; repeated here because the binding is imported late or not at all.
_UNINITIALIZED, _DRIVER_NOT_LOADED, _LIBRARY_NOT_FOUND, _MISMATCH, _UNKNOWN = 1, 9, 12, 18, 999
_NO_PERMISSION, _GPU_IS_LOST, _GPU_NOT_FOUND = 4, 15, 28
_TIMEOUT, _FUNCTION_NOT_FOUND, _RESET_REQUIRED, _OPERATING_SYSTEM, _MEMORY = 10, 13, 16, 17, 20
_NVML_GONE = {_UNINITIALIZED, _DRIVER_NOT_LOADED, _LIBRARY_NOT_FOUND, _MISMATCH}
_LOST = {_GPU_IS_LOST, _GPU_NOT_FOUND}
# A GPU lacks some figures, an empty slot has no instance, an old driver lacks the newest function: not problems.
_NOT_SUPPORTED, _NOT_FOUND, _OTHER_VERSION = 3, 6, 25
_EXPECTED = {_NOT_SUPPORTED, _NOT_FOUND, _FUNCTION_NOT_FOUND, _OTHER_VERSION}
_TEMPERATURE_GPU, _MEMORY_V2 = 0, 0x02000028
_REBOOT = "check dmesg, or reboot"
_ADVICE = {
    _NO_PERMISSION: "give your user access to /dev/nvidia*",
    _DRIVER_NOT_LOADED: "load the driver (modprobe nvidia), or start the container with its GPUs",
    _LIBRARY_NOT_FOUND: "install the NVIDIA driver, or start the container with its GPUs",
    _MISMATCH: "the driver was updated under the running kernel: reboot, or reload the nvidia modules",
    _TIMEOUT: f"the driver is slow or hangs: {_REBOOT}",
    _FUNCTION_NOT_FOUND: "the driver is too old: update it",
    _RESET_REQUIRED: "reset the GPU, or reboot",
    _OPERATING_SYSTEM: "the system or the container blocks access: allow access to /dev/nvidia*",
    _MEMORY: "free some memory of this machine, or reboot",
    _UNKNOWN: "the device files may have been removed: restart the container, or reboot",
}


class _NvmlGone(Exception):
    """NVML as a whole no longer works; the text is the reason."""


class NvmlBackend:
    """The GPUs as NVML reports them, with their MIG instances."""

    name = "nvml"

    def __init__(self, nvml: Any, clock: Clock, problems: Sequence[str] = ()) -> None:
        """`nvml` is the pynvml module of nvidia-ml-py, or an object with the same functions.

        `problems` are listed before this backend's own. Raises BackendUnavailable when NVML does not start.
        """
        self._nvml = nvml
        self._clock = clock
        self._given_problems = tuple(problems)
        self._known = KnownGpus()
        self._last: list[GpuReading] = []
        self._gpu_problems: list[str] = []
        self._failure = self._start()
        """Why NVML as a whole does not work; None while it does."""
        if self._failure:
            raise BackendUnavailable(self._failure)

    @property
    def problems(self) -> Sequence[str]:
        """One line per problem, with what to do about it."""
        return (*self._given_problems, *([self._failure] if self._failure else self._gpu_problems))

    def readings(self) -> list[GpuReading]:
        """Read every GPU. While NVML does not work: blank readings, and a new start every REOPEN_SECONDS."""
        if self._failure and self._clock.mono_ns() - self._tried_ns >= REOPEN_SECONDS * NANOSECONDS:
            # The binding counts its starts: the old one has to be shut down first.
            self.close()
            self._failure = self._start()
        if not self._failure:
            try:
                self._last = self._read_all()
            except _NvmlGone as why:
                self._failure = f"NVML: stopped responding: {why}"
        if self._failure:
            self._last = [reading.blank() for reading in self._last]
        return list(self._last)

    def close(self) -> None:
        """Shut NVML down."""
        try:
            self._nvml.nvmlShutdown()
        except self._nvml.NVMLError:
            pass

    def _start(self) -> str | None:
        """Start NVML. Returns why it failed; None when it runs."""
        self._tried_ns = self._clock.mono_ns()
        try:
            self._nvml.nvmlInit()
        except self._nvml.NVMLError as why:
            return f"NVML: {_explain(why)}"
        return None

    def _read_all(self) -> list[GpuReading]:
        """Raises _NvmlGone."""
        count_query = _Query(self._nvml)
        count = count_query.ask("nvmlDeviceGetCount")
        if count is None:
            raise _NvmlGone(count_query.refusal or f"the GPUs cannot be counted; {_REBOOT}")
        gpus = []
        for index in range(count):
            query = _Query(self._nvml)
            handle = query.ask("nvmlDeviceGetHandleByIndex", index)
            gpus.append((index, handle, driver_text(query.ask("nvmlDeviceGetUUID", handle)), query))
        present = {uuid for _, _, uuid, _ in gpus if uuid}
        readings: list[GpuReading] = []
        for index, handle, uuid, query in gpus:
            name = driver_text(query.ask("nvmlDeviceGetName", handle))
            device = self._known.identify(index, uuid, name, present)
            mode = query.ask("nvmlDeviceGetMigMode", handle)
            divided = mode is not None and mode[0] == 1
            readings.append(_read_gpu(query, handle, device, divided))
            if divided:
                readings += _read_instances(query, handle, device.key)
        self._gpu_problems = [
            f"NVML: GPU {index}: {problem}"
            for index, _, uuid, query in gpus
            if not query.lost and (problem := _gpu_problem(query, uuid)) is not None
        ]
        unknown_errors = [query.unknown_error for *_, query in gpus if query.unknown_error]
        if unknown_errors and all(reading == reading.blank() for reading in readings):
            # Seen in containers whose device files were removed: every query ends in "Unknown Error".
            raise _NvmlGone(unknown_errors[0])
        return self._known.with_missing(readings)


class _Query:
    """Queries the driver about one GPU, field by field, and keeps what its refusals mean."""

    def __init__(self, nvml: Any) -> None:
        self._nvml = nvml
        self.lost = False
        """Whether the driver reports the GPU as gone."""
        self.function = ""
        """The function of the first unexpected refusal."""
        self.refusal: str | None = None
        """Why `function` was refused; None without an unexpected refusal."""
        self.unknown_error: str | None = None
        """The text of an "Unknown Error", if there was one."""

    def ask(self, function: str, *arguments: object) -> Any:
        """Return the driver's answer; None when it refuses, or an argument is None. Raises _NvmlGone."""
        if None in arguments:
            return None
        try:
            return getattr(self._nvml, function)(*arguments)
        except (AttributeError, TypeError):
            return None  # an older, newer or foreign binding lacks this function, or this form of it
        except UnicodeDecodeError as why:
            return why.object  # the binding decodes strictly; `driver_text` does not
        except self._nvml.NVMLError as why:
            if why.value in _NVML_GONE:
                raise _NvmlGone(_explain(why)) from None
            self.lost = self.lost or why.value in _LOST
            if self.refusal is None and why.value not in _EXPECTED:
                self.function, self.refusal = function, _explain(why)
            if why.value == _UNKNOWN:
                self.unknown_error = _explain(why)
            return None


def _gpu_problem(query: _Query, uuid: str | None) -> str | None:
    """Describe the problem of a GPU that is not lost; None when there is none."""
    if uuid is None:
        return query.refusal or f"does not report its UUID; {_ADVICE[_FUNCTION_NOT_FOUND]}"
    return query.refusal and f"{query.function}: {query.refusal}"


def _read_gpu(query: _Query, handle: Any, device: Device, divided: bool) -> GpuReading:
    rates = query.ask("nvmlDeviceGetUtilizationRates", handle)
    compute = None if rates is None else rates.gpu
    used, total = _read_memory(query, handle)
    temperature = query.ask("nvmlDeviceGetTemperatureV", handle, _TEMPERATURE_GPU)
    if temperature is None:
        temperature = query.ask("nvmlDeviceGetTemperature", handle, _TEMPERATURE_GPU)
    milliwatts = query.ask("nvmlDeviceGetPowerUsage", handle)
    watts = None if milliwatts is None else milliwatts / 1000
    # Since the driver was loaded; GPUs older than Volta have no such counter.
    energy = query.ask("nvmlDeviceGetTotalEnergyConsumption", handle)
    return GpuReading(device, compute, used, total, temperature, watts, query.lost, energy, divided=divided)


def _read_instances(query: _Query, handle: Any, whole: str) -> list[GpuReading]:
    """Read the MIG instances of the GPU `whole`.

    NVML reports only their memory; load, temperature, power and energy are the whole GPU's.
    """
    readings = []
    for slot in range(query.ask("nvmlDeviceGetMaxMigDeviceCount", handle) or 0):
        child = query.ask("nvmlDeviceGetMigDeviceHandleByIndex", handle, slot)
        uuid = driver_text(query.ask("nvmlDeviceGetUUID", child))
        if uuid is not None:
            device = Device(uuid, driver_text(query.ask("nvmlDeviceGetName", child)) or "")
            readings.append(GpuReading(device, None, *_read_memory(query, child), mig_of=whole))
    return readings


def _read_memory(query: _Query, handle: Any) -> tuple[int | None, int | None]:
    """Return used and total bytes.

    The newer function counts as nvidia-smi does; the older one counts the driver's own memory as used.
    """
    memory = query.ask("nvmlDeviceGetMemoryInfo", handle, _MEMORY_V2)
    if memory is None:
        memory = query.ask("nvmlDeviceGetMemoryInfo", handle)
    return (None, None) if memory is None else (memory.used, memory.total)


def _explain(error: Any) -> str:
    return f"{in_one_line(error).rstrip('.')} (code {error.value}); {_ADVICE.get(error.value, _REBOOT)}"
