"""Which way of reading GPUs works on this machine: NVML, else nvidia-smi, else none and the reasons why.

Any call of a backend may hang with the driver; `monitor.gpu.GPUMonitor` keeps that away from callers.
"""

from __future__ import annotations

import importlib
import importlib.metadata
from pathlib import Path
from typing import Any

from monitor.nvml import NvmlBackend
from monitor.readings import BackendUnavailable, GpuBackend, NullBackend, in_one_line
from monitor.smi import SmiBackend
from virnucpro_bus.clock import Clock

_REINSTALL = "pip install --force-reinstall nvidia-ml-py"
_NEEDED_NAMES = ("NVMLError", "nvmlInit", "nvmlShutdown", "nvmlDeviceGetCount", "nvmlDeviceGetHandleByIndex")


def open_backend(clock: Clock, nvml: Any = None) -> GpuBackend:
    """NVML, else nvidia-smi, else nothing. Never raises; the reasons for stepping down are its `problems`.

    `nvml` stands in for the pynvml module. May take long: starting NVML wakes the GPUs.
    """
    problems: list[str] = []
    return _open_nvml(clock, nvml, problems) or _open_smi(problems) or NullBackend(problems)


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
        return SmiBackend(problems)
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
