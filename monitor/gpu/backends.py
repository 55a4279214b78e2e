"""The choice of a backend for this machine: NVML, else nvidia-smi, else none, with the reasons.

A backend that does not work now may work later: a driver is loaded, or a binding is installed.

Any call of a backend may hang with the driver; `monitor.gpu.monitor.GPUMonitor` isolates callers from that.
"""

from __future__ import annotations

import ctypes
import importlib
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from monitor.gpu.nvml import REOPEN_SECONDS, NvmlBackend
from monitor.gpu.reading import BackendUnavailable, GpuBackend, GpuReading, NullBackend, in_one_line
from monitor.gpu.smi import SmiBackend
from virnucpro_bus.clock import NANOSECONDS, Clock

_REINSTALL = "pip install --force-reinstall nvidia-ml-py"
_REQUIRED_NAMES = ("NVMLError", "nvmlInit", "nvmlShutdown", "nvmlDeviceGetCount", "nvmlDeviceGetHandleByIndex")


class BestBackend:
    """The best backend that works at present. Until that is NVML, better ones are tried every REOPEN_SECONDS."""

    def __init__(self, clock: Clock, nvml: Any = None) -> None:
        """`nvml` is as for `open_backend`."""
        self._clock = clock
        self._nvml = nvml
        self._tried_ns = clock.mono_ns()
        self._best = open_backend(clock, nvml)

    @property
    def name(self) -> str:
        """The name of the backend in use."""
        return self._best.name

    @property
    def problems(self) -> Sequence[str]:
        """Why no better backend is in use, and what is wrong with this one; a line each."""
        return self._best.problems

    def readings(self) -> list[GpuReading]:
        """Read every GPU, through a better backend if one works by now."""
        now_ns = self._clock.mono_ns()
        if self._best.name != NvmlBackend.name and now_ns - self._tried_ns >= REOPEN_SECONDS * NANOSECONDS:
            self._tried_ns = now_ns
            self._try_better()
        return self._best.readings()

    def close(self) -> None:
        """Close the backend in use."""
        self._best.close()

    def _try_better(self) -> None:
        problems: list[str] = []
        better = _open_nvml(self._clock, self._nvml, problems)
        if better is None and self._best.name != SmiBackend.name:
            better = _open_smi(problems) or NullBackend(problems)
        if better is not None:
            self._best.close()
            self._best = better


def open_backend(clock: Clock, nvml: Any = None) -> GpuBackend:
    """Open NVML, else nvidia-smi, else a NullBackend. Never raises; `problems` has the reasons for the choice.

    `nvml` replaces the pynvml module. May take long: starting NVML wakes the GPUs.
    """
    problems: list[str] = []
    return _open_nvml(clock, nvml, problems) or _open_smi(problems) or NullBackend(problems)


def has_driver() -> bool:
    """Whether this machine has an NVIDIA driver's library or nvidia-smi, whether or not they work."""
    if shutil.which("nvidia-smi") is not None:
        return True
    try:
        ctypes.CDLL("libnvidia-ml.so.1")
    except OSError:
        return False
    return True


def import_pynvml(problems: list[str]) -> Any:
    """Import the `pynvml` module; one that is usable but not nvidia-ml-py's is named in `problems`.

    Raises BackendUnavailable when it cannot be imported, or lacks a required function.
    """
    try:
        nvml = importlib.import_module("pynvml")
    except Exception as why:
        # Other packages of that name raise exceptions of any kind at import.
        raise BackendUnavailable(
            f"NVML: cannot import pynvml ({in_one_line(why)}); pip install nvidia-ml-py"
        ) from None
    from importlib.metadata import PackageNotFoundError, distribution  # takes long to load

    place = nvml.__file__ or "an unknown path"
    remedy = f"pip uninstall pynvml; {_REINSTALL}"
    if missing := [name for name in _REQUIRED_NAMES if not hasattr(nvml, name)]:
        raise BackendUnavailable(f"NVML: the pynvml module at {place} lacks {missing[0]}; {remedy}")
    try:
        ours = Path(str(distribution("nvidia-ml-py").locate_file("pynvml.py"))).resolve()
    except PackageNotFoundError:
        ours = None
    if ours != Path(place).resolve():
        problems.append(f"NVML: the pynvml module at {place} is not nvidia-ml-py's; {remedy}")
    return nvml


def _open_nvml(clock: Clock, nvml: Any, problems: list[str]) -> GpuBackend | None:
    """Open NVML; None when it does not work, with the reason in `problems`."""
    try:
        backend = NvmlBackend(nvml or import_pynvml(problems), clock, problems)
        backend.readings()
        return backend
    except BackendUnavailable as why:
        problems.append(str(why))
    except Exception as why:
        # Another package's binding may start, and fail only when it is queried.
        problems.append(f"NVML: {type(why).__name__}: {in_one_line(why)}; {_REINSTALL}")
    return None


def _open_smi(problems: list[str]) -> GpuBackend | None:
    """Open nvidia-smi; None when it does not work, with the reason in `problems`."""
    try:
        return SmiBackend([f"{problem}; using nvidia-smi until then" for problem in problems])
    except BackendUnavailable as why:
        problems.append(str(why))
    return None
