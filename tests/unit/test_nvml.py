"""The GPU backends against a fake pynvml module (its errors are the real binding's) and a real nvidia-smi program
made of a shell script."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pynvml
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.nvml import (
    BackendUnavailable,
    GpuReading,
    NullBackend,
    NvmlBackend,
    SmiBackend,
    import_pynvml,
    open_backend,
)
from virnucpro_bus.clock import ManualClock
from virnucpro_bus.codec import decode, encode
from virnucpro_bus.events import Device, GpuSampled, envelop

GIB = 2**30
LOST = pynvml.NVML_ERROR_GPU_IS_LOST
NOT_SUPPORTED = pynvml.NVML_ERROR_NOT_SUPPORTED
UNKNOWN = pynvml.NVML_ERROR_UNKNOWN


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

    def _answer(self, gpu: FakeGpu, function: str, value: Any) -> Any:
        self._check()
        error = gpu.errors.get(function, gpu.errors.get("*"))
        if error is not None:
            raise pynvml.NVMLError(error)
        return value


def backend_of(nvml: FakeNvml, clock: ManualClock | None = None) -> NvmlBackend:
    return NvmlBackend(nvml, clock or ManualClock())


def keys(readings: list[GpuReading]) -> list[str]:
    return [reading.device.key for reading in readings]


# --- readings


def test_a_reading_has_every_figure_in_its_unit() -> None:
    assert backend_of(FakeNvml(FakeGpu("GPU-a"))).readings() == [
        GpuReading(Device("GPU-a", "NVIDIA A100", 0), 40.0, 10 * GIB, 40 * GIB, 55.0, 250.5, lost=False)
    ]


def test_memory_percent_is_used_of_total_and_not_the_bus_utilization() -> None:
    assert backend_of(FakeNvml(FakeGpu("GPU-a"))).readings()[0].memory_percent == 25.0


@pytest.mark.parametrize(("used", "total"), [(None, 4), (4, None), (0, 0), (5, 4)])
def test_memory_percent_is_unknown_when_it_cannot_be_told(used: int | None, total: int | None) -> None:
    reading = GpuReading(Device("GPU-a"), memory_used_bytes=used, memory_total_bytes=total)
    assert reading.memory_percent is None


@pytest.mark.parametrize("percent", [-1, 100.5, math.nan, math.inf, 2**64])
def test_an_impossible_percentage_is_unknown(percent: float) -> None:
    assert GpuReading(Device("GPU-a"), compute_percent=percent).compute_percent is None


def test_a_sentinel_for_a_temperature_is_unknown() -> None:
    assert GpuReading(Device("GPU-a"), temperature_celsius=9223372036854775794).temperature_celsius is None


numbers = st.none() | st.floats() | st.integers()


@given(compute=numbers, used=numbers, total=numbers, temperature=numbers, power=numbers)
def test_whatever_a_driver_says_makes_an_event_that_is_accepted(
    compute: Any, used: Any, total: Any, temperature: Any, power: Any
) -> None:
    reading = GpuReading(Device("GPU-a"), compute, used, total, temperature, power)
    event = GpuSampled(
        reading.device,
        reading.compute_percent,
        reading.memory_percent,
        reading.memory_used_bytes,
        reading.memory_total_bytes,
        reading.temperature_celsius,
        reading.power_watts,
    )
    envelope = envelop(event, run="", host="h", source="s", epoch=1, seq=1, wall_ns=1, mono_ns=1)
    assert decode(encode(envelope)) == envelope


# --- NVML, field by field


@pytest.mark.parametrize("code", [NOT_SUPPORTED, UNKNOWN, pynvml.NVML_ERROR_NO_PERMISSION, 4242])
@pytest.mark.parametrize(
    ("functions", "unknown"),
    [
        (["nvmlDeviceGetUtilizationRates"], {"compute_percent": None}),
        (["nvmlDeviceGetTemperature"], {"temperature_celsius": None}),
        (["nvmlDeviceGetPowerUsage"], {"power_watts": None}),
        (
            ["nvmlDeviceGetMemoryInfo", "nvmlDeviceGetMemoryInfo_v2"],
            {"memory_used_bytes": None, "memory_total_bytes": None},
        ),
    ],
)
def test_an_error_costs_its_field_only(functions: list[str], unknown: dict[str, None], code: int) -> None:
    nvml = FakeNvml(FakeGpu("GPU-a"), FakeGpu("GPU-b"))
    backend = backend_of(nvml)
    whole = backend.readings()
    nvml.gpus[0].errors = dict.fromkeys(functions, code)
    assert backend.readings() == [replace(whole[0], **unknown), whole[1]]


def test_an_old_driver_is_asked_for_memory_in_the_old_form() -> None:
    gpu = FakeGpu("GPU-a", errors={"nvmlDeviceGetMemoryInfo_v2": pynvml.NVML_ERROR_FUNCTION_NOT_FOUND})
    assert backend_of(FakeNvml(gpu)).readings()[0].memory_used_bytes == 11 * GIB


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


def test_a_gpu_that_can_no_longer_tell_its_name_keeps_it() -> None:
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
    assert instance == GpuReading(Device("MIG-1", "NVIDIA A100 MIG 1g.5gb", None), None, GIB, 5 * GIB)


def test_a_removed_mig_instance_is_not_lost() -> None:
    nvml = FakeNvml(FakeGpu("GPU-a", mig=[FakeGpu("MIG-1"), FakeGpu("MIG-2")]))
    backend = backend_of(nvml)
    backend.readings()
    del nvml.gpus[0].mig[1]
    assert keys(backend.readings()) == ["GPU-a", "MIG-1"]


# --- NVML as a whole


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
def test_nvml_that_does_not_start_says_why_in_one_line(code: int, word: str) -> None:
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
def test_nvml_may_be_lost_in_the_middle_of_a_look(function: str) -> None:
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


# --- the binding


def test_the_installed_binding_is_accepted_without_a_word() -> None:
    problems: list[str] = []
    assert import_pynvml(problems) is pynvml
    assert problems == []


def test_a_foreign_pynvml_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    foreign = ModuleType("pynvml")
    foreign.__file__ = "/opt/other/pynvml/__init__.py"
    foreign.__dict__.update({name: getattr(pynvml, name) for name in dir(pynvml) if not name.startswith("__")})
    problems: list[str] = []
    monkeypatch.setitem(sys.modules, "pynvml", foreign)
    assert import_pynvml(problems) is foreign
    assert len(problems) == 1
    assert "/opt/other/pynvml/__init__.py is not nvidia-ml-py's; pip uninstall pynvml" in problems[0]


def test_a_pynvml_that_lacks_what_is_needed_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    foreign = ModuleType("pynvml")
    foreign.__file__ = "/opt/other/pynvml.py"
    monkeypatch.setitem(sys.modules, "pynvml", foreign)
    with pytest.raises(BackendUnavailable, match=r"/opt/other/pynvml\.py lacks NVMLError"):
        import_pynvml([])


def test_importing_the_backends_does_not_import_the_binding() -> None:
    script = "import sys, monitor.nvml, monitor.gpu, monitor.sampler; sys.exit('pynvml' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


# --- nvidia-smi


@pytest.fixture
def smi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that is the PATH: nvidia-smi prints what is in its file `output` and exits with `status`."""
    program = tmp_path / "nvidia-smi"
    program.write_text(
        f"#!/bin/sh\nread_all() {{ while IFS= read -r line; do printf '%s\\n' \"$line\"; done; }}\n"
        f"read_all < {tmp_path}/output\nread status < {tmp_path}/status\nexit $status\n"
    )
    program.chmod(0o755)
    (tmp_path / "status").write_text("0\n")
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


GOOD_ROW = "0, GPU-a, NVIDIA A100, 40, 10240, 40960, 55, 250.50\n"


def test_nvidia_smi_gives_the_same_reading_as_nvml(smi: Path) -> None:
    (smi / "output").write_text(GOOD_ROW)
    assert SmiBackend().readings() == backend_of(FakeNvml(FakeGpu("GPU-a"))).readings()


@pytest.mark.parametrize("word", ["[N/A]", "[Not Supported]", "[Unknown Error]", "N/A", "", "nan", "inf"])
def test_a_word_in_place_of_a_number_is_unknown(smi: Path, word: str) -> None:
    (smi / "output").write_text(f"0, GPU-a, NVIDIA A100, {word}, {word}, 40960, {word}, {word}\n")
    assert SmiBackend().readings() == [GpuReading(Device("GPU-a", "NVIDIA A100", 0), memory_total_bytes=40 * GIB)]


def test_a_quoted_name_with_a_comma_is_one_field(smi: Path) -> None:
    (smi / "output").write_text('0, GPU-a, "Weird, Inc. GPU", 40, 1, 2, 55, 250.50\n')
    assert SmiBackend().readings()[0].device.name == "Weird, Inc. GPU"


def test_nvidia_smi_says_lost_in_the_fields(smi: Path) -> None:
    row = "1, GPU-b, NVIDIA H100, 40, 1, 2, 55, 250.50\n"
    (smi / "output").write_text(GOOD_ROW + row)
    backend = SmiBackend()
    before = backend.readings()
    (smi / "output").write_text(GOOD_ROW + "1" + ", [GPU is lost]" * 7 + "\n")
    (smi / "status").write_text("15\n")
    assert backend.readings() == [before[0], GpuReading(Device("GPU-b", "NVIDIA H100", 1), lost=True)]


def test_nvidia_smi_leaves_a_lost_gpu_out(smi: Path) -> None:
    (smi / "output").write_text(GOOD_ROW + "1, GPU-b, NVIDIA H100, 40, 1, 2, 55, 250.50\n")
    backend = SmiBackend()
    backend.readings()
    (smi / "output").write_text(
        GOOD_ROW + "Unable to determine the device handle for GPU 0000:02:00.0: GPU is lost.\n"
    )
    assert [(r.device.key, r.lost) for r in backend.readings()] == [("GPU-a", False), ("GPU-b", True)]


def test_nvidia_smi_that_fails_later_leaves_the_gpus_with_nothing_known(smi: Path) -> None:
    (smi / "output").write_text(GOOD_ROW)
    backend = SmiBackend()
    backend.readings()
    (smi / "output").write_text("NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.\n")
    assert backend.readings() == [GpuReading(Device("GPU-a", "NVIDIA A100", 0))]


def test_nvidia_smi_that_hangs_is_given_up(smi: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.nvml.SMI_SECONDS", 0.05)
    (smi / "nvidia-smi").write_text("#!/bin/sh\nwhile :; do read -t 1 x < /dev/zero; done\n")
    with pytest.raises(BackendUnavailable, match="no answer within"):
        SmiBackend()


def test_nvidia_smi_that_cannot_be_run_is_named(smi: Path) -> None:
    (smi / "nvidia-smi").write_text("#!/nowhere/sh\n")
    with pytest.raises(BackendUnavailable, match=r"nvidia-smi: cannot be run \(No such file"):
        SmiBackend()


# --- the choice


def test_nvml_is_preferred(smi: Path) -> None:
    (smi / "output").write_text(GOOD_ROW)
    backend = open_backend(ManualClock(), FakeNvml(FakeGpu("GPU-n")))
    assert (backend.name, list(backend.problems)) == ("nvml", [])


def test_nvidia_smi_comes_next_with_the_reason(smi: Path) -> None:
    (smi / "output").write_text(GOOD_ROW)
    nvml = FakeNvml()
    nvml.down = pynvml.NVML_ERROR_LIB_RM_VERSION_MISMATCH
    backend = open_backend(ManualClock(), nvml)
    assert (backend.name, keys(backend.readings()), len(backend.problems)) == ("nvidia-smi", ["GPU-a"], 1)
    assert "mismatch" in backend.problems[0]


def test_nothing_comes_last_with_both_reasons(smi: Path) -> None:
    (smi / "output").write_text("No devices were found\n")
    (smi / "status").write_text("6\n")
    nvml = FakeNvml()
    nvml.down = pynvml.NVML_ERROR_LIBRARY_NOT_FOUND
    backend = open_backend(ManualClock(), nvml)
    assert isinstance(backend, NullBackend)
    assert backend.readings() == []
    assert [line.split(":")[0] for line in backend.problems] == ["NVML", "nvidia-smi"]
    assert "No devices were found" in backend.problems[1]


def test_a_machine_without_nvidia_smi_is_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    nvml = FakeNvml()
    nvml.down = pynvml.NVML_ERROR_LIBRARY_NOT_FOUND
    assert "nvidia-smi: not found" in open_backend(ManualClock(), nvml).problems[1]


def test_a_binding_that_breaks_on_import_is_stepped_over(
    smi: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (smi / "output").write_text(GOOD_ROW)
    (tmp_path / "pynvml.py").write_text("raise RuntimeError('made for\\nanother driver')\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "pynvml")
    backend = open_backend(ManualClock())
    assert backend.name == "nvidia-smi"
    assert backend.problems[0].startswith("NVML: cannot import pynvml (made for another driver)")
