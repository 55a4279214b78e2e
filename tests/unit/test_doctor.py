"""The doctor: its report on any machine, and end to end over the real binding with a stand-in library in C."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pynvml
import pytest
from click.testing import CliRunner
from fake_drivers import GOOD_ROW, put_nvidia_smi_on_path
from fake_nvml import FakeNvmlLibrary, Gpu, Step

from monitor.doctor import LINE_CHARACTERS, Report, doctor, examine, render
from virnucpro_bus.rundir import socket_folder

REPORT: Report = {
    "versions": {"python": "3.11.2", "nvidia-ml-py": None},
    "gpu_backend": "nvml",
    "devices": [
        {
            "index": 0,
            "name": "NVIDIA A100-SXM4-80GB",
            "uuid": "GPU-1f2e3d4c-aaaa-bbbb-cccc-0123456789ab",
            "memory_used_bytes": 3 * 2**29,
            "memory_total_bytes": 80 * 2**30,
            "lost": False,
            "mig_of": None,
        },
        {
            "index": None,
            "name": None,
            "uuid": "MIG-1\x1b[31m",
            "memory_used_bytes": None,
            "memory_total_bytes": None,
            "lost": False,
            "mig_of": "GPU-1f2e3d4c-aaaa-bbbb-cccc-0123456789ab",
        },
        {
            "index": 1,
            "name": "B",
            "uuid": "GPU-b",
            "memory_used_bytes": None,
            "memory_total_bytes": None,
            "lost": True,
            "mig_of": None,
        },
    ],
    "environment": {"CUDA_VISIBLE_DEVICES": "", "CUDA_DEVICE_ORDER": None},
    "cpus": 8,
    "cpus_usable": 2,
    "socket_folder": "/run/demo/.bus",
    "problems": ["NVML: " + "something is wrong and it takes many words to say so " * 4],
}


def run_doctor(
    *arguments: str, environment: dict[str, str], script: str = "from monitor.doctor import doctor; doctor()"
) -> str:
    """What the doctor prints in a process of its own."""
    hidden = {"CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER"}
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        env={name: value for name, value in os.environ.items() if name not in hidden} | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout


@pytest.fixture
def nvml(tmp_path: Path) -> FakeNvmlLibrary:
    """A driver's library, and no nvidia-smi on the PATH."""
    library = FakeNvmlLibrary(tmp_path)
    library.environment["PATH"] = str(tmp_path)
    return library


def problems_of(nvml: FakeNvmlLibrary, **environment: str) -> list[str]:
    """What the doctor finds wrong; nvidia-smi, which is never there, left out."""
    report = json.loads(run_doctor("--json", environment=nvml.environment | environment))
    return [line for line in report["problems"] if not line.startswith("nvidia-smi: not found")]


def test_the_real_binding_reports_a_good_and_a_lost_gpu(nvml: FakeNvmlLibrary) -> None:
    nvml.shows(Gpu("GPU-0000", b"Stand-in \xff\x1b[31m"), Gpu("GPU-1111", b"Stand-in \xff\x1b[31m", lost=True))
    report = json.loads(run_doctor("--json", environment=nvml.environment))
    assert report["gpu_backend"] == "nvml"
    assert report["devices"] == [
        {
            "index": 0,
            "name": "Stand-in \N{REPLACEMENT CHARACTER}\x1b[31m",
            "uuid": "GPU-0000",
            "memory_used_bytes": 10 * 2**30,
            "memory_total_bytes": 40 * 2**30,
            "lost": False,
            "mig_of": None,
        },
        {
            "index": 1,
            "name": "Stand-in \N{REPLACEMENT CHARACTER}\x1b[31m",
            "uuid": "GPU-1111",
            "memory_used_bytes": None,
            "memory_total_bytes": None,
            "lost": True,
            "mig_of": None,
        },
    ]
    assert report["problems"] == ["GPU 1 (GPU-1111) is lost; see dmesg, have it reset, or reboot"]


def test_mig_instances_are_listed_after_their_gpu(nvml: FakeNvmlLibrary) -> None:
    nvml.shows(Gpu("GPU-a", mig=(Gpu("MIG-1"), Gpu("MIG-2"))), Gpu("GPU-b"))
    devices = json.loads(run_doctor("--json", environment=nvml.environment))["devices"]
    assert [(device["uuid"], device["index"], device["mig_of"]) for device in devices] == [
        ("GPU-a", 0, None),
        ("MIG-1", None, "GPU-a"),
        ("MIG-2", None, "GPU-a"),
        ("GPU-b", 1, None),
    ]


def test_a_name_from_the_driver_cannot_drive_the_terminal(nvml: FakeNvmlLibrary) -> None:
    nvml.shows(Gpu("GPU-a", b"Stand-in \xff\x1b[31m"))
    printed = run_doctor(environment=nvml.environment)
    assert "Stand-in \N{REPLACEMENT CHARACTER}\\x1b[31m" in printed
    assert "\x1b" not in printed


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
        (pynvml.NVML_ERROR_UNKNOWN, "Unknown Error (code 999); the device files may have been taken away"),
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
        "NVML: stopped answering, Unknown Error (code 999); the device files may have been taken away: "
        "restart the container, or reboot"
    )


def test_one_gpu_that_may_not_be_opened_is_named(nvml: FakeNvmlLibrary) -> None:
    nvml.shows(Gpu("GPU-a"), Gpu("GPU-b", errors={"*": 4}))
    assert problems_of(nvml) == [
        "NVML: GPU 1: Insufficient Permissions (code 4); give your user access to /dev/nvidia*"
    ]


@pytest.mark.parametrize("question", ["init", "count", "power"])
def test_a_driver_that_hangs_is_said_to_hang(nvml: FakeNvmlLibrary, question: str) -> None:
    nvml.follows(Step((Gpu("GPU-a"),), hang=(question,)))
    script = "import monitor.doctor as it; it.DRIVER_SECONDS = 1.0; it.doctor()"
    report = json.loads(run_doctor("--json", environment=nvml.environment, script=script))
    assert (report["gpu_backend"], report["devices"]) == (None, [])
    assert report["problems"] == ["GPU driver: no answer within 1 s, it hangs; look into dmesg, or reboot"]


def test_a_foreign_pynvml_is_named(nvml: FakeNvmlLibrary, tmp_path: Path) -> None:
    nvml.shows(Gpu("GPU-a"))
    shutil.copy(pynvml.__file__, tmp_path / "pynvml.py")
    (problem,) = problems_of(nvml, PYTHONPATH=f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}")
    assert problem.startswith(f"NVML: the pynvml module at {tmp_path}/pynvml.py is not nvidia-ml-py's; pip uninst")


def test_where_nvidia_smi_alone_works_it_is_used_and_the_reason_told(
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
        ("7", "CUDA_VISIBLE_DEVICES: GPU 7 is not there; this machine has: 0 (GPU-a), 1 (GPU-b)"),
        ("GPU-x", "CUDA_VISIBLE_DEVICES: GPU GPU-x is not there; this machine has: 0 (GPU-a), 1 (GPU-b)"),
        ("GPU-", "CUDA_VISIBLE_DEVICES: GPU GPU- fits several"),
        (
            "1",
            "CUDA_VISIBLE_DEVICES: which GPU 1 is cannot be told, since they differ and CUDA counts the fastest",
        ),
    ],
)
def test_a_visible_device_that_cannot_be_told_is_one_line_with_what_to_do(
    nvml: FakeNvmlLibrary, visible: str, line: str
) -> None:
    nvml.shows(Gpu("GPU-a", "NVIDIA A100"), Gpu("GPU-b", "NVIDIA T4"))
    (problem,) = problems_of(nvml, CUDA_VISIBLE_DEVICES=visible)
    assert problem.startswith(line)


def test_an_index_among_unlike_gpus_is_right_when_cuda_counts_as_nvml_does(nvml: FakeNvmlLibrary) -> None:
    nvml.shows(Gpu("GPU-a", "NVIDIA A100"), Gpu("GPU-b", "NVIDIA T4"))
    assert problems_of(nvml, CUDA_VISIBLE_DEVICES="1", CUDA_DEVICE_ORDER="PCI_BUS_ID") == []


def test_a_machine_without_nvidia_smi_and_driver_is_told_what_to_do_and_exits_0(tmp_path: Path) -> None:
    # A library that cannot be loaded stands before the machine's own, if there is one.
    (tmp_path / "libnvidia-ml.so.1").write_bytes(b"")
    report = json.loads(
        run_doctor("--json", environment={"LD_LIBRARY_PATH": str(tmp_path), "PATH": str(tmp_path)})
    )
    if report["gpu_backend"] == "nvml":
        pytest.skip("this machine has a driver that an empty libnvidia-ml.so.1 does not hide")
    assert (report["gpu_backend"], report["devices"]) == ("none", [])
    assert [line.split(":")[0] for line in report["problems"]] == ["NVML", "nvidia-smi"]
    assert all("install the NVIDIA driver" in line for line in report["problems"])


def test_the_versions_are_those_of_the_installed_packages(tmp_path: Path) -> None:
    versions = examine(tmp_path, {})["versions"]
    assert list(versions) == [
        *("python", "virnucpro-bus", "pyzmq", "msgpack", "msgspec", "rich", "nvidia-ml-py", "libzmq")
    ]
    assert versions["python"] == ".".join(map(str, sys.version_info[:3]))
    assert None not in versions.values()


def test_the_socket_folder_is_that_of_the_run_folder(tmp_path: Path) -> None:
    result = CliRunner().invoke(doctor, [str(tmp_path / "run"), "--json"])
    assert result.exit_code == 0
    assert json.loads(result.stdout)["socket_folder"] == str(socket_folder(tmp_path / "run"))


def test_an_unset_variable_is_told_from_an_empty_one(tmp_path: Path) -> None:
    assert examine(tmp_path, {"CUDA_VISIBLE_DEVICES": ""})["environment"] == {
        "CUDA_VISIBLE_DEVICES": "",
        "CUDA_DEVICE_ORDER": None,
    }


def test_json_has_the_keys_of_the_report(tmp_path: Path) -> None:
    report: Any = json.loads(CliRunner().invoke(doctor, [str(tmp_path), "--json"]).stdout)
    assert report.keys() == Report.__annotations__.keys()


def test_the_plain_report_says_what_is_unknown_lost_unset_and_empty() -> None:
    lines = render(REPORT).splitlines()
    assert "  nvidia-ml-py   not installed" in lines
    assert "   0  NVIDIA A100-SXM4-80GB  1.5 of 80.0 GiB used" in lines
    assert "   -  name unknown  n/a of n/a GiB used" in lines
    assert "   1  B  LOST" in lines
    assert "  CUDA_VISIBLE_DEVICES is set and empty" in lines
    assert "  CUDA_DEVICE_ORDER is not set" in lines
    assert "  CPUs: 2 usable of 8" in lines


def test_the_plain_report_fits_80_columns_and_holds_no_control_characters() -> None:
    lines = render(REPORT).splitlines()
    assert max(map(len, lines)) <= LINE_CHARACTERS
    assert all(line.isprintable() for line in lines)


def test_a_driver_that_does_not_answer_is_told_from_no_gpu() -> None:
    text = render({**REPORT, "gpu_backend": None, "devices": []})
    assert "GPUs (the driver does not answer)\n  none" in text


def test_help_shows_an_example() -> None:
    result = CliRunner().invoke(doctor, ["--help"])
    assert result.exit_code == 0
    assert "  virnucpro-bus doctor --json" in result.stdout
