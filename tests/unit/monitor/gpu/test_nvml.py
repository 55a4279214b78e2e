"""The NVML backend against a fake pynvml module, whose errors are the real binding's."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pynvml
import pytest

from monitor.gpu.nvml import NvmlBackend
from monitor.gpu.reading import GpuReading
from tests.support.fake_drivers import GIB, FakeGpu, FakeNvml
from virnucpro_bus.clock import ManualClock
from virnucpro_bus.events.vocabulary import Device

LOST = pynvml.NVML_ERROR_GPU_IS_LOST
NOT_SUPPORTED = pynvml.NVML_ERROR_NOT_SUPPORTED
UNKNOWN = pynvml.NVML_ERROR_UNKNOWN


def backend_of(nvml: FakeNvml, clock: ManualClock | None = None) -> NvmlBackend:
    return NvmlBackend(nvml, clock or ManualClock())


def keys(readings: list[GpuReading]) -> list[str]:
    return [reading.device.key for reading in readings]


def test_a_reading_has_every_figure_in_its_unit() -> None:
    assert backend_of(FakeNvml(FakeGpu("GPU-a"))).readings() == [
        GpuReading(Device("GPU-a", "NVIDIA A100", 0), 40.0, 10 * GIB, 40 * GIB, 55.0, 250.5, False, 7_000_500)
    ]


def test_memory_percent_is_used_of_total_and_not_the_bus_utilization() -> None:
    assert backend_of(FakeNvml(FakeGpu("GPU-a"))).readings()[0].memory_percent == 25.0


# --- NVML, field by field


@pytest.mark.parametrize("code", [NOT_SUPPORTED, UNKNOWN, pynvml.NVML_ERROR_NO_PERMISSION, 4242])
@pytest.mark.parametrize(
    ("functions", "unknown"),
    [
        (["nvmlDeviceGetUtilizationRates"], {"compute_percent": None}),
        (["nvmlDeviceGetTemperature"], {"temperature_celsius": None}),
        (["nvmlDeviceGetPowerUsage"], {"power_watts": None}),
        (["nvmlDeviceGetTotalEnergyConsumption"], {"energy_millijoules": None}),
        (
            ["nvmlDeviceGetMemoryInfo", "nvmlDeviceGetMemoryInfo_v2"],
            {"memory_used_bytes": None, "memory_total_bytes": None},
        ),
    ],
)
def test_an_error_costs_its_field_only(functions: list[str], unknown: dict[str, Any], code: int) -> None:
    nvml = FakeNvml(FakeGpu("GPU-a"), FakeGpu("GPU-b"))
    backend = backend_of(nvml)
    whole = backend.readings()
    nvml.gpus[0].errors = dict.fromkeys(functions, code)
    assert backend.readings() == [replace(whole[0], **unknown), whole[1]]


def test_an_old_driver_is_asked_for_memory_in_the_old_form() -> None:
    gpu = FakeGpu("GPU-a", errors={"nvmlDeviceGetMemoryInfo_v2": pynvml.NVML_ERROR_FUNCTION_NOT_FOUND})
    assert backend_of(FakeNvml(gpu)).readings()[0].memory_used_bytes == 11 * GIB


def test_a_binding_that_knows_the_old_form_alone_is_asked_in_that(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakeNvml, "nvmlDeviceGetMemoryInfo", lambda self, gpu: SimpleNamespace(used=1, total=4))
    reading = backend_of(FakeNvml(FakeGpu("GPU-a"))).readings()[0]
    assert (reading.memory_used_bytes, reading.memory_percent, reading.compute_percent) == (1, 25.0, 40.0)


def test_the_newer_temperature_question_is_preferred(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakeNvml, "nvmlDeviceGetTemperatureV", lambda self, gpu, sensor: -5, raising=False)
    assert backend_of(FakeNvml(FakeGpu("GPU-a"))).readings()[0].temperature_celsius == -5


def test_names_may_be_bytes_and_undecodable() -> None:
    gpu = FakeGpu(b"GPU-a", name=b"Tesla \xff")
    assert backend_of(FakeNvml(gpu)).readings()[0].device == Device("GPU-a", "Tesla \N{REPLACEMENT CHARACTER}", 0)


def test_a_name_too_long_for_an_event_is_cut() -> None:
    assert len(backend_of(FakeNvml(FakeGpu("GPU-a", name="x" * 999))).readings()[0].device.name) == 256


def test_a_machine_with_a_driver_and_no_gpu_has_no_readings() -> None:
    assert backend_of(FakeNvml()).readings() == []


# --- NVML, identity and loss


def test_a_changed_order_changes_the_index_and_not_the_identity() -> None:
    nvml = FakeNvml(FakeGpu("GPU-a", compute=1), FakeGpu("GPU-b", compute=2))
    backend = backend_of(nvml)
    backend.readings()
    nvml.gpus.reverse()
    assert [(r.device.key, r.device.index, r.compute_percent) for r in backend.readings()] == [
        ("GPU-b", 0, 2.0),
        ("GPU-a", 1, 1.0),
    ]


def test_a_lost_gpu_keeps_its_name_and_the_others_live_on() -> None:
    nvml = FakeNvml(FakeGpu("GPU-a"), FakeGpu("GPU-b", name="NVIDIA H100"))
    backend = backend_of(nvml)
    before = backend.readings()
    nvml.gpus[1].errors = {"*": LOST}
    assert backend.readings() == [before[0], GpuReading(Device("GPU-b", "NVIDIA H100", 1), lost=True)]


def test_a_gpu_that_no_longer_reports_its_name_keeps_it() -> None:
    nvml = FakeNvml(FakeGpu("GPU-a"))
    backend = backend_of(nvml)
    before = backend.readings()
    nvml.gpus[0].errors = {"nvmlDeviceGetName": UNKNOWN}
    assert backend.readings() == before


def test_a_gpu_that_was_lost_from_the_start_is_a_row_by_its_index() -> None:
    nvml = FakeNvml(FakeGpu("GPU-a"), FakeGpu("GPU-b", errors={"*": LOST}))
    assert backend_of(nvml).readings()[1] == GpuReading(Device("nvml:1", "", 1), lost=True)


def test_a_gpu_lost_between_two_fields_is_lost() -> None:
    nvml = FakeNvml(FakeGpu("GPU-a", errors={"nvmlDeviceGetPowerUsage": LOST}))
    reading = backend_of(nvml).readings()[0]
    assert (reading.lost, reading.compute_percent, reading.power_watts) == (True, 40.0, None)


def test_a_gpu_that_is_no_longer_listed_is_lost() -> None:
    nvml = FakeNvml(FakeGpu("GPU-a"), FakeGpu("GPU-b"))
    backend = backend_of(nvml)
    backend.readings()
    del nvml.gpus[0]
    assert [(r.device.key, r.lost) for r in backend.readings()] == [("GPU-b", False), ("GPU-a", True)]


def test_a_silent_gpu_is_not_taken_for_one_that_moved_to_another_index() -> None:
    nvml = FakeNvml(FakeGpu("GPU-a"), FakeGpu("GPU-b"))
    backend = backend_of(nvml)
    backend.readings()
    nvml.gpus = [FakeGpu("GPU-b", errors={"*": LOST}), nvml.gpus[0]]
    assert sorted(set(keys(backend.readings()))) == ["GPU-a", "GPU-b", "nvml:0"]


def test_a_gpu_that_the_driver_does_not_find_any_more_is_lost() -> None:
    nvml = FakeNvml(FakeGpu("GPU-a"), FakeGpu("GPU-b"))
    backend = backend_of(nvml)
    backend.readings()
    nvml.gpus[1].errors = {"*": pynvml.NVML_ERROR_GPU_NOT_FOUND}
    assert [(r.device.key, r.lost) for r in backend.readings()] == [("GPU-a", False), ("GPU-b", True)]
    assert list(backend.problems) == []


def test_a_gpu_that_was_lost_from_the_start_has_its_uuid_when_it_recovers() -> None:
    nvml = FakeNvml(FakeGpu("GPU-a"), FakeGpu("GPU-b", errors={"*": LOST}))
    backend = backend_of(nvml)
    backend.readings()
    nvml.gpus[1].errors = {}
    assert [(r.device.key, r.lost) for r in backend.readings()] == [("GPU-a", False), ("GPU-b", False)]


def test_a_recovered_gpu_is_no_longer_lost() -> None:
    nvml = FakeNvml(FakeGpu("GPU-a"), FakeGpu("GPU-b"))
    backend = backend_of(nvml)
    before = backend.readings()
    nvml.gpus[1].errors = {"*": LOST}
    backend.readings()
    nvml.gpus[1].errors = {}
    assert backend.readings() == before


# --- NVML, MIG


def test_mig_instances_follow_their_gpu_without_utilization() -> None:
    child = FakeGpu("MIG-1", name="NVIDIA A100 MIG 1g.5gb", used=GIB, total=5 * GIB)
    gpu = FakeGpu("GPU-a", mig=[None, child], errors={"nvmlDeviceGetUtilizationRates": NOT_SUPPORTED})
    parent, instance = backend_of(FakeNvml(gpu)).readings()
    assert (parent.device, parent.compute_percent, parent.power_watts) == (
        Device("GPU-a", "NVIDIA A100", 0),
        None,
        250.5,
    )
    assert (parent.divided, instance.divided) == (True, False)
    assert instance == GpuReading(
        Device("MIG-1", "NVIDIA A100 MIG 1g.5gb", None), None, GIB, 5 * GIB, mig_of="GPU-a"
    )


def test_a_gpu_in_mig_mode_without_instances_is_divided_too() -> None:
    (reading,) = backend_of(FakeNvml(FakeGpu("GPU-a", mig=[None]))).readings()
    assert (reading.divided, reading.blank().divided) == (True, True)


def test_mig_instances_are_lost_and_come_back_with_their_gpu() -> None:
    nvml = FakeNvml(FakeGpu("GPU-a", mig=[FakeGpu("MIG-1")]), FakeGpu("GPU-b"))
    backend = backend_of(nvml)
    before = backend.readings()
    nvml.gpus[0].errors = {"*": LOST}
    assert {r.device.key: r.lost for r in backend.readings()} == {"GPU-a": True, "GPU-b": False, "MIG-1": True}
    nvml.gpus[0].errors = {}
    assert backend.readings() == before


def test_a_removed_mig_instance_is_not_lost() -> None:
    nvml = FakeNvml(FakeGpu("GPU-a", mig=[FakeGpu("MIG-1"), FakeGpu("MIG-2")]))
    backend = backend_of(nvml)
    backend.readings()
    del nvml.gpus[0].mig[1]
    assert keys(backend.readings()) == ["GPU-a", "MIG-1"]


def test_a_gpu_that_refuses_to_be_opened_is_a_problem_until_it_does_not() -> None:
    nvml = FakeNvml(FakeGpu("GPU-a"), FakeGpu("GPU-b", errors={"*": pynvml.NVML_ERROR_NO_PERMISSION}))
    backend = backend_of(nvml)
    assert keys(backend.readings()) == ["GPU-a", "nvml:1"]
    assert list(backend.problems) == [
        "NVML: GPU 1: Insufficient Permissions (code 4); give your user access to /dev/nvidia*"
    ]
    nvml.gpus[1].errors = {}
    assert keys(backend.readings()) == ["GPU-a", "GPU-b"]
    assert list(backend.problems) == []
