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

_NEEDED_NAMES = ("NVMLError", "nvmlInit", "nvmlShutdown", "nvmlDeviceGetCount", "nvmlDeviceGetHandleByIndex")


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
        raise BackendUnavailable(
            f"NVML: cannot import pynvml ({in_one_line(why)}); pip install nvidia-ml-py"
        ) from None
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
