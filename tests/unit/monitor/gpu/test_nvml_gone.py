"""NVML as a whole does not start, goes, and comes back."""

from __future__ import annotations

import pynvml
import pytest

from monitor.gpu.nvml import NvmlBackend
from monitor.gpu.reading import BackendUnavailable, GpuReading
from tests.support.fake_drivers import FakeGpu, FakeNvml
from virnucpro_bus.clock import ManualClock
from virnucpro_bus.events.vocabulary import Device

LOST = pynvml.NVML_ERROR_GPU_IS_LOST
UNKNOWN = pynvml.NVML_ERROR_UNKNOWN


def backend_of(nvml: FakeNvml, clock: ManualClock | None = None) -> NvmlBackend:
    return NvmlBackend(nvml, clock or ManualClock())


@pytest.mark.parametrize(
    ("code", "word"),
    [
        (pynvml.NVML_ERROR_LIBRARY_NOT_FOUND, "install the NVIDIA driver"),
        (pynvml.NVML_ERROR_DRIVER_NOT_LOADED, "modprobe nvidia"),
        (pynvml.NVML_ERROR_LIB_RM_VERSION_MISMATCH, "reboot"),
        (pynvml.NVML_ERROR_NO_PERMISSION, "/dev/nvidia"),
        (UNKNOWN, "restart the container"),
        (4242, "code 4242"),
    ],
)
def test_why_nvml_does_not_start_is_one_line(code: int, word: str) -> None:
    nvml = FakeNvml(FakeGpu("GPU-a"))
    nvml.down = code
    with pytest.raises(BackendUnavailable) as caught:
        backend_of(nvml)
    assert word in str(caught.value)
    assert "\n" not in str(caught.value)


def test_nvml_lost_while_running_leaves_the_gpus_with_nothing_known() -> None:
    nvml = FakeNvml(FakeGpu("GPU-a"), FakeGpu("GPU-b"))
    backend = backend_of(nvml)
    backend.readings()
    nvml.gpus[1].errors = {"*": LOST}
    backend.readings()
    nvml.down = pynvml.NVML_ERROR_UNINITIALIZED
    assert backend.readings() == [
        GpuReading(Device("GPU-a", "NVIDIA A100", 0)),
        GpuReading(Device("GPU-b", "NVIDIA A100", 1), lost=True),
    ]
    assert len(backend.problems) == 1


@pytest.mark.parametrize("function", ["nvmlDeviceGetUUID", "nvmlDeviceGetPowerUsage"])
def test_nvml_may_fail_in_the_middle_of_a_reading(function: str) -> None:
    nvml = FakeNvml(FakeGpu("GPU-a"))
    backend = backend_of(nvml)
    backend.readings()
    nvml.gpus[0].errors = {function: pynvml.NVML_ERROR_UNINITIALIZED}
    assert backend.readings() == [GpuReading(Device("GPU-a", "NVIDIA A100", 0))]


def test_unknown_error_to_every_question_means_that_nvml_is_lost() -> None:
    clock = ManualClock()
    nvml = FakeNvml(FakeGpu("GPU-a"))
    backend = backend_of(nvml, clock)
    backend.readings()
    nvml.gpus[0].errors = {"*": UNKNOWN}
    backend.readings()
    assert "restart the container" in backend.problems[-1]
    clock.advance(5)
    backend.readings()
    assert nvml.starts == 2


def test_lost_nvml_is_looked_for_once_in_five_seconds() -> None:
    clock = ManualClock()
    nvml = FakeNvml(FakeGpu("GPU-a"))
    backend = backend_of(nvml, clock)
    nvml.down = pynvml.NVML_ERROR_DRIVER_NOT_LOADED
    for _ in range(100):
        backend.readings()
        clock.advance(0.25)
    assert nvml.starts == 1 + 4


def test_nvml_that_comes_back_is_read_again_and_started_once() -> None:
    clock = ManualClock()
    nvml = FakeNvml(FakeGpu("GPU-a"))
    backend = backend_of(nvml, clock)
    before = backend.readings()
    nvml.gpus[0].errors = {"nvmlDeviceGetUUID": pynvml.NVML_ERROR_UNINITIALIZED}
    backend.readings()
    nvml.gpus[0].errors = {}
    clock.advance(5)
    assert (backend.readings(), list(backend.problems), nvml.started) == (before, [], 1)


def test_close_ends_what_was_started_and_may_come_twice() -> None:
    nvml = FakeNvml(FakeGpu("GPU-a"))
    backend = backend_of(nvml)
    backend.close()
    backend.close()
    assert nvml.started == 0
