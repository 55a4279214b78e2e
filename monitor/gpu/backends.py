"""Which way of reading GPUs works on this machine: NVML, else nvidia-smi, else none and the reasons why.

What does not work now may do so later: a driver is loaded, a binding installed.

Any call of a backend may hang with the driver; `monitor.gpu.GPUMonitor` keeps that away from callers.
"""

from __future__ import annotations

import ctypes
import importlib
import importlib.metadata
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from monitor.gpu.nvml import REOPEN_SECONDS, NvmlBackend
from monitor.gpu.reading import BackendUnavailable, GpuBackend, GpuReading, NullBackend, in_one_line
from monitor.gpu.smi import SmiBackend
from virnucpro_bus.clock import NANOSECONDS, Clock

_REINSTALL = "pip install --force-reinstall nvidia-ml-py"
_NEEDED_NAMES = ("NVMLError", "nvmlInit", "nvmlShutdown", "nvmlDeviceGetCount", "nvmlDeviceGetHandleByIndex")


def open_backend(clock: Clock, nvml: Any = None) -> GpuBackend:
    """NVML, else nvidia-smi, else nothing. Never raises; the reasons for stepping down are its `problems`.

    `nvml` stands in for the pynvml module. May take long: starting NVML wakes the GPUs.
    """
    problems: list[str] = []
    return _open_nvml(clock, nvml, problems) or _open_smi(problems) or NullBackend(problems)


class BestBackend:
    """The best way there is at the time. While that is not NVML it is tried again every REOPEN_SECONDS."""

    def __init__(self, clock: Clock, nvml: Any = None) -> None:
        """As `open_backend`."""
        self._clock = clock
        self._nvml = nvml
        self._tried_ns = clock.mono_ns()
        self._best = open_backend(clock, nvml)

    @property
    def name(self) -> str:
        return self._best.name

    @property
    def problems(self) -> Sequence[str]:
        return self._best.problems

    def readings(self) -> list[GpuReading]:
        now_ns = self._clock.mono_ns()
        if self._best.name != NvmlBackend.name and now_ns - self._tried_ns >= REOPEN_SECONDS * NANOSECONDS:
            self._tried_ns = now_ns
            self._look_for_better()
        return self._best.readings()

    def close(self) -> None:
        self._best.close()

    def _look_for_better(self) -> None:
        problems: list[str] = []
        better = _open_nvml(self._clock, self._nvml, problems)
        if better is None and self._best.name != SmiBackend.name:
            better = _open_smi(problems) or NullBackend(problems)
        if better is not None:
            self._best.close()
            self._best = better


def has_driver() -> bool:
    """Whether this machine has an NVIDIA driver's library or nvidia-smi, whatever state they are in."""
    if shutil.which("nvidia-smi") is not None:
        return True
    try:
        ctypes.CDLL("libnvidia-ml.so.1")
    except OSError:
        return False
    return True


def _open_nvml(clock: Clock, nvml: Any, problems: list[str]) -> GpuBackend | None:
    """None when it does not work; the reason is then in `problems`."""
    try:
        backend = NvmlBackend(nvml or import_pynvml(problems), clock, problems)
        backend.readings()
        return backend
    except BackendUnavailable as why:
        problems.append(str(why))
    except Exception as why:
        # A binding of another make may start, and fail only at the questions.
        problems.append(f"NVML: {type(why).__name__}: {in_one_line(why)}; {_REINSTALL}")
    return None


def _open_smi(problems: list[str]) -> GpuBackend | None:
    """None when it does not work; the reason is then in `problems`."""
    try:
        return SmiBackend([f"{problem}; nvidia-smi is used meanwhile" for problem in problems])
    except BackendUnavailable as why:
        problems.append(str(why))
    return None


def import_pynvml(problems: list[str]) -> Any:
    """nvidia-ml-py's module. Another one that would do is taken and named in `problems`.

    Raises BackendUnavailable when there is none, or one that lacks what is needed.
    """
    try:
        nvml = importlib.import_module("pynvml")
    except Exception as why:
        # Other packages of that name raise all sorts of things when they are imported.
        raise BackendUnavailable(
            f"NVML: cannot import pynvml ({in_one_line(why)}); pip install nvidia-ml-py"
        ) from None
    place = nvml.__file__ or "an unknown place"
    remedy = f"pip uninstall pynvml; {_REINSTALL}"
    if missing := [name for name in _NEEDED_NAMES if not hasattr(nvml, name)]:
        raise BackendUnavailable(f"NVML: the pynvml module at {place} lacks {missing[0]}; {remedy}")
    try:
        ours = Path(str(importlib.metadata.distribution("nvidia-ml-py").locate_file("pynvml.py"))).resolve()
    except importlib.metadata.PackageNotFoundError:
        ours = None
    if ours != Path(place).resolve():
        problems.append(f"NVML: the pynvml module at {place} is not nvidia-ml-py's; {remedy}")
    return nvml
