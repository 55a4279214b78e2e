"""Fakes of the GPU driver: a pynvml module (with the real binding's errors) and an nvidia-smi program."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar

import pynvml
import pytest

GIB = 2**30
T = TypeVar("T")
GOOD_ROW = "0, GPU-a, NVIDIA A100, 40, 10240, 40960, 55, 250.50, [N/A]\n"


@dataclass
class FakeGpu:
    """What one GPU answers. `errors` holds an NVML error code by function name; "*" stands for every function."""

    uuid: str | bytes
    name: str | bytes = "NVIDIA A100"
    compute: int = 40
    used: int = 10 * GIB
    total: int = 40 * GIB
    temperature: int = 55
    milliwatts: int = 250_500
    millijoules: int = 7_000_500
    errors: dict[str, int] = field(default_factory=dict)
    mig: list[FakeGpu | None] = field(default_factory=list)


class FakeNvml:
    """The functions of pynvml that the backend uses. `down`: the error of NVML as a whole, None while it works."""

    NVMLError = pynvml.NVMLError

    def __init__(self, *gpus: FakeGpu) -> None:
        self.gpus = list(gpus)
        self.down: int | None = None
        self.starts = 0
        self.started = 0

    def nvmlInit(self) -> None:
        self.starts += 1
        if self.down is not None:
            raise pynvml.NVMLError(self.down)
        self.started += 1

    def nvmlShutdown(self) -> None:
        self._check()
        self.started -= 1

    def nvmlDeviceGetCount(self) -> int:
        self._check()
        return len(self.gpus)

    def nvmlDeviceGetHandleByIndex(self, index: int) -> FakeGpu:
        return self._answer(self.gpus[index], "nvmlDeviceGetHandleByIndex", self.gpus[index])

    def nvmlDeviceGetUUID(self, gpu: FakeGpu) -> Any:
        return self._answer(gpu, "nvmlDeviceGetUUID", gpu.uuid)

    def nvmlDeviceGetName(self, gpu: FakeGpu) -> Any:
        name = self._answer(gpu, "nvmlDeviceGetName", gpu.name)
        # As the real binding does, which lets the decoding error through.
        return name.decode() if isinstance(name, bytes) else name

    def nvmlDeviceGetUtilizationRates(self, gpu: FakeGpu) -> Any:
        return self._answer(gpu, "nvmlDeviceGetUtilizationRates", SimpleNamespace(gpu=gpu.compute, memory=99))

    def nvmlDeviceGetMemoryInfo(self, gpu: FakeGpu, version: int | None = None) -> Any:
        form = "nvmlDeviceGetMemoryInfo" if version is None else "nvmlDeviceGetMemoryInfo_v2"
        # The first form counts what the driver keeps for itself as used.
        used = gpu.used + GIB if version is None else gpu.used
        return self._answer(gpu, form, SimpleNamespace(used=used, total=gpu.total))

    def nvmlDeviceGetTemperature(self, gpu: FakeGpu, sensor: int) -> int:
        assert sensor == pynvml.NVML_TEMPERATURE_GPU
        return self._answer(gpu, "nvmlDeviceGetTemperature", gpu.temperature)

    def nvmlDeviceGetPowerUsage(self, gpu: FakeGpu) -> int:
        return self._answer(gpu, "nvmlDeviceGetPowerUsage", gpu.milliwatts)

    def nvmlDeviceGetTotalEnergyConsumption(self, gpu: FakeGpu) -> int:
        return self._answer(gpu, "nvmlDeviceGetTotalEnergyConsumption", gpu.millijoules)

    def nvmlDeviceGetMigMode(self, gpu: FakeGpu) -> list[int]:
        return self._answer(gpu, "nvmlDeviceGetMigMode", [int(bool(gpu.mig)), 0])

    def nvmlDeviceGetMaxMigDeviceCount(self, gpu: FakeGpu) -> int:
        return self._answer(gpu, "nvmlDeviceGetMaxMigDeviceCount", len(gpu.mig))

    def nvmlDeviceGetMigDeviceHandleByIndex(self, gpu: FakeGpu, slot: int) -> FakeGpu:
        self._check()
        child = gpu.mig[slot]
        if child is None:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_FOUND)
        return child

    def _check(self) -> None:
        if self.down is not None or self.started == 0:
            raise pynvml.NVMLError(self.down or pynvml.NVML_ERROR_UNINITIALIZED)

    def _answer(self, gpu: FakeGpu, function: str, value: T) -> T:
        self._check()
        error = gpu.errors.get(function, gpu.errors.get("*"))
        if error is not None:
            raise pynvml.NVMLError(error)
        return value


def put_nvidia_smi_on_path(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make `folder`, with an nvidia-smi as of `make_nvidia_smi`, the PATH."""
    make_nvidia_smi(folder)
    monkeypatch.setenv("PATH", str(folder))


def make_nvidia_smi(folder: Path) -> None:
    """In `folder`; it prints the file `output` there and exits with the number in `status`."""
    program = folder / "nvidia-smi"
    program.write_text(
        f"#!/bin/sh\nread_all() {{ while IFS= read -r line; do printf '%s\\n' \"$line\"; done; }}\n"
        f"read_all < {folder}/output\nread status < {folder}/status\nexit $status\n"
    )
    program.chmod(0o755)
    (folder / "status").write_text("0\n")
