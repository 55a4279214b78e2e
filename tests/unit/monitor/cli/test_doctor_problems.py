"""What the doctor finds wrong: one line a problem, with what to do about it."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pynvml
import pytest

from monitor.cli.doctor import examine
from monitor.gpu.monitor import GPUMonitor
from monitor.gpu.reading import GpuReading
from tests.support.doctor_runs import problems_of, run_doctor
from tests.support.fake_drivers import GOOD_ROW, put_nvidia_smi_on_path
from tests.support.fake_nvml import FakeNvmlLibrary, Gpu, Step
from tests.support.gpu_bench import GPU_A, GPU_B, MIG, ScriptedBackend
from virnucpro_bus.events.vocabulary import Device


@pytest.fixture
def nvml(tmp_path: Path) -> FakeNvmlLibrary:
    """A driver's library, and no nvidia-smi on the PATH."""
    library = FakeNvmlLibrary(tmp_path)
    library.environment["PATH"] = str(tmp_path)
    return library


LIKE_A = replace(GPU_B, device=Device("GPU-b", GPU_A.device.name, 1))
"""A second GPU of the model of the first."""


class Seen:
    """What the doctor finds wrong on a machine whose GPUs give these readings."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, run_dir: Path) -> None:
        self._monkeypatch, self._run_dir = monkeypatch, run_dir

    def problems(self, *readings: GpuReading, **environment: str) -> list[str]:
        backend = ScriptedBackend(*readings)
        backend.problems = ()
        self._monkeypatch.setattr("monitor.cli.doctor.GPUMonitor", lambda: GPUMonitor(backend))
        return examine(self._run_dir, environment)["problems"]


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Seen:
    return Seen(monkeypatch, tmp_path)


def test_nothing_is_wrong_with_a_good_machine(nvml: FakeNvmlLibrary) -> None:
    nvml.shows(Gpu("GPU-a"), Gpu("GPU-b"))
    assert problems_of(nvml) == []
    assert problems_of(nvml, CUDA_VISIBLE_DEVICES="1,GPU-a") == []


@pytest.mark.parametrize(
    ("code", "line"),
    [
        (pynvml.NVML_ERROR_DRIVER_NOT_LOADED, "Driver Not Loaded (code 9); load the driver (modprobe nvidia)"),
        (pynvml.NVML_ERROR_NO_PERMISSION, "Insufficient Permissions (code 4); give your user access"),
        (pynvml.NVML_ERROR_LIB_RM_VERSION_MISMATCH, "(code 18); the driver was updated under the running kernel"),
        (pynvml.NVML_ERROR_UNKNOWN, "Unknown Error (code 999); the device files may have been removed"),
        (pynvml.NVML_ERROR_UNINITIALIZED, "Uninitialized (code 1); check dmesg, or reboot"),
        (pynvml.NVML_ERROR_TIMEOUT, "Timeout (code 10); the driver is slow or hangs: check dmesg, or reboot"),
        (pynvml.NVML_ERROR_FUNCTION_NOT_FOUND, "(code 13); the driver is too old: update it"),
        (pynvml.NVML_ERROR_RESET_REQUIRED, "GPU requires restart (code 16); reset the GPU, or reboot"),
        (pynvml.NVML_ERROR_OPERATING_SYSTEM, "(code 17); the system or the container blocks access: allow access"),
        (pynvml.NVML_ERROR_MEMORY, "Insufficient Memory (code 20); free some memory of this machine, or reboot"),
    ],
)
def test_a_driver_that_does_not_start_is_one_line_with_what_to_do(
    nvml: FakeNvmlLibrary, code: int, line: str
) -> None:
    nvml.follows(Step(init=code))
    (problem,) = problems_of(nvml)
    assert problem.startswith("NVML: ")
    assert line in problem


def test_device_files_that_were_taken_away_are_one_line_with_what_to_do(nvml: FakeNvmlLibrary) -> None:
    nvml.shows(Gpu("GPU-a", errors={"*": 999}), Gpu("GPU-b", errors={"*": 999}))
    (problem,) = problems_of(nvml)
    assert problem == (
        "NVML: stopped responding: Unknown Error (code 999); the device files may have been removed: "
        "restart the container, or reboot"
    )


def test_a_driver_that_cannot_count_its_gpus_is_one_line_with_what_to_do(nvml: FakeNvmlLibrary) -> None:
    nvml.follows(Step((Gpu("GPU-a"),), down=999))
    (problem,) = problems_of(nvml)
    assert problem.startswith("NVML: stopped responding: Unknown Error (code 999); the device files may have been")


def test_a_driver_without_any_gpu_is_one_line_with_what_to_do(nvml: FakeNvmlLibrary) -> None:
    nvml.shows()
    assert problems_of(nvml) == [
        "GPU driver: reports no GPU; start the container or job with its GPUs, or check lspci"
    ]


@pytest.mark.parametrize(("field", "function"), [("memory", "MemoryInfo"), ("power", "PowerUsage")])
def test_one_gpu_that_refuses_one_question_is_named_with_the_question(
    nvml: FakeNvmlLibrary, field: str, function: str
) -> None:
    nvml.shows(Gpu("GPU-a"), Gpu("GPU-b", errors={field: 4}))
    assert problems_of(nvml) == [
        f"NVML: GPU 1: nvmlDeviceGet{function}: Insufficient Permissions (code 4); "
        "give your user access to /dev/nvidia*"
    ]


def test_a_figure_that_a_gpu_lacks_is_not_a_problem(nvml: FakeNvmlLibrary) -> None:
    nvml.shows(Gpu("GPU-a", compute=None, used=None, temperature=None, milliwatts=None, millijoules=None))
    assert problems_of(nvml) == []


def test_a_gpu_without_uuid_is_a_problem_because_no_run_can_use_it(nvml: FakeNvmlLibrary) -> None:
    nvml.shows(Gpu("GPU-a", errors={"uuid": pynvml.NVML_ERROR_NOT_SUPPORTED}))
    assert problems_of(nvml) == ["NVML: GPU 0: does not report its UUID; the driver is too old: update it"]


def test_the_mig_instances_of_a_lost_gpu_are_not_listed_again(seen: Seen) -> None:
    found = seen.problems(replace(GPU_A, lost=True), replace(MIG, lost=True))
    assert found == ["GPU 0 (GPU-a): is lost; check dmesg, reset it, or reboot"]


def test_one_gpu_that_may_not_be_opened_is_named(nvml: FakeNvmlLibrary) -> None:
    nvml.shows(Gpu("GPU-a"), Gpu("GPU-b", errors={"*": 4}))
    assert problems_of(nvml) == [
        "NVML: GPU 1: Insufficient Permissions (code 4); give your user access to /dev/nvidia*"
    ]


@pytest.mark.parametrize("question", ["init", "count", "power"])
def test_a_driver_that_hangs_is_reported_as_hanging(nvml: FakeNvmlLibrary, question: str) -> None:
    nvml.follows(Step((Gpu("GPU-a"),), hang=(question,)))
    script = "import monitor.cli.doctor as it; it.DRIVER_SECONDS = 1.0; it.doctor()"
    report = json.loads(run_doctor("--json", environment=nvml.environment, script=script))
    assert (report["gpu_backend"], report["devices"]) == (None, [])
    assert report["problems"] == ["GPU driver: no answer within 1 s, it hangs; check dmesg, or reboot"]


def test_a_foreign_pynvml_is_named(nvml: FakeNvmlLibrary, tmp_path: Path) -> None:
    nvml.shows(Gpu("GPU-a"))
    shutil.copy(pynvml.__file__, tmp_path / "pynvml.py")
    (problem,) = problems_of(nvml, PYTHONPATH=f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}")
    assert problem.startswith(f"NVML: the pynvml module at {tmp_path}/pynvml.py is not nvidia-ml-py's; pip uninst")


def test_a_foreign_pynvml_of_an_older_api_is_named_and_read_all_the_same(
    nvml: FakeNvmlLibrary, tmp_path: Path
) -> None:
    nvml.shows(Gpu("GPU-a"))
    text = Path(pynvml.__file__).read_text() + "\n_info = nvmlDeviceGetMemoryInfo\n"
    (tmp_path / "pynvml.py").write_text(text + "def nvmlDeviceGetMemoryInfo(handle): return _info(handle)\n")
    path = f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}"
    report = json.loads(run_doctor("--json", environment=nvml.environment | {"PYTHONPATH": path}))
    assert (report["gpu_backend"], report["devices"][0]["memory_total_bytes"]) == ("nvml", 40 * 2**30)
    assert "is not nvidia-ml-py's; pip uninstall pynvml" in report["problems"][0]


@pytest.mark.parametrize("function", ["nvmlInit", "nvmlInit_v2", "nvmlInitWithFlags"])
def test_the_stand_in_starts_as_bindings_of_any_age_ask_it_to(nvml: FakeNvmlLibrary, function: str) -> None:
    nvml.shows(Gpu("GPU-a"))
    script = (
        "import ctypes, sys; library = ctypes.CDLL('libnvidia-ml.so.1')\n"
        "print(getattr(library, sys.argv[1])(0), library.nvmlShutdown())"
    )
    assert run_doctor(function, environment=nvml.environment, script=script) == "0 0\n"


def test_if_only_nvidia_smi_works_it_is_used_and_the_reason_listed(
    nvml: FakeNvmlLibrary, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nvml.follows(Step(init=pynvml.NVML_ERROR_LIB_RM_VERSION_MISMATCH))
    put_nvidia_smi_on_path(tmp_path, monkeypatch)
    (tmp_path / "output").write_text(GOOD_ROW)
    report = json.loads(run_doctor("--json", environment=nvml.environment))
    assert (report["gpu_backend"], [device["uuid"] for device in report["devices"]]) == ("nvidia-smi", ["GPU-a"])
    assert ["reboot" in line for line in report["problems"]] == [True]


@pytest.mark.parametrize(
    ("visible", "line"),
    [
        ("7", "CUDA_VISIBLE_DEVICES: GPU 7 was not found; this machine has: 0 (GPU-a), 1 (GPU-b)"),
        ("GPU-x", "CUDA_VISIBLE_DEVICES: GPU GPU-x was not found; this machine has: 0 (GPU-a), 1 (GPU-b)"),
        ("GPU-", "CUDA_VISIBLE_DEVICES: GPU GPU- matches several GPUs"),
        ("GPU-a,GPU-a", "CUDA_VISIBLE_DEVICES: names a GPU twice (GPU-a and GPU-a)"),
        (
            "1",
            "CUDA_VISIBLE_DEVICES: GPU 1 is ambiguous, since the models differ and CUDA numbers the fastest",
        ),
    ],
)
def test_an_unusable_visible_device_is_one_line_with_what_to_do(seen: Seen, visible: str, line: str) -> None:
    (problem,) = seen.problems(GPU_A, GPU_B, CUDA_VISIBLE_DEVICES=visible)
    assert problem.startswith(line)


@pytest.mark.parametrize("visible", ["x", " ", ",", "void", "all", "none", "1,all"])
def test_a_visible_device_that_hides_others_is_one_line_with_what_to_do(seen: Seen, visible: str) -> None:
    (problem,) = seen.problems(GPU_A, LIKE_A, CUDA_VISIBLE_DEVICES=visible)
    entry = visible.split(",")[-1].strip()
    assert problem.startswith(f'CUDA_VISIBLE_DEVICES: CUDA stops reading at "{entry}", which is neither an')


@pytest.mark.parametrize("visible", ["", "-1", "NoDevFiles", "1,-1"])
def test_gpus_that_are_hidden_on_purpose_are_no_problem(seen: Seen, visible: str) -> None:
    assert seen.problems(GPU_A, LIKE_A, CUDA_VISIBLE_DEVICES=visible) == []


def test_what_to_do_about_a_visible_device_is_not_to_ask_the_doctor_again(nvml: FakeNvmlLibrary) -> None:
    nvml.shows(Gpu("GPU-a"))
    (problem,) = problems_of(nvml, CUDA_VISIBLE_DEVICES="7")
    assert problem.endswith("this machine has: 0 (GPU-a); name one of these, or unset it")


def test_a_number_while_a_gpu_is_lost_is_one_line_more(seen: Seen) -> None:
    lost, number = seen.problems(replace(GPU_A, lost=True), LIKE_A, CUDA_VISIBLE_DEVICES="1")
    assert lost.startswith("GPU 0 (GPU-a): is lost")
    assert number.startswith("CUDA_VISIBLE_DEVICES: GPU 1 is ambiguous while a GPU is lost")


def test_an_index_among_unlike_gpus_is_right_when_cuda_counts_as_nvml_does(seen: Seen) -> None:
    assert seen.problems(GPU_A, GPU_B, CUDA_VISIBLE_DEVICES="1", CUDA_DEVICE_ORDER="PCI_BUS_ID") == []


@pytest.mark.parametrize("here", [True, None, False])
def test_a_missing_driver_is_a_problem_unless_the_machine_has_no_nvidia_gpu(
    tmp_path: Path, here: bool | None
) -> None:
    # A library that cannot be loaded stands before the machine's own, if there is one.
    (tmp_path / "libnvidia-ml.so.1").write_bytes(b"")
    script = f"import monitor.cli.doctor as d; d.has_nvidia_gpu = lambda: {here}; d.doctor()"
    environment = {"LD_LIBRARY_PATH": str(tmp_path), "PATH": str(tmp_path)}
    report = json.loads(run_doctor("--json", environment=environment, script=script))
    if report["gpu_backend"] == "nvml":
        pytest.skip("this machine has a driver that an empty libnvidia-ml.so.1 does not hide")
    assert (report["gpu_backend"], report["devices"], report["has_nvidia_gpu"]) == ("none", [], here)
    missing = [] if here is False else ["NVML", "nvidia-smi"]
    assert [line.split(":")[0] for line in report["problems"]] == missing
    assert all("install the NVIDIA driver" in line for line in report["problems"])
