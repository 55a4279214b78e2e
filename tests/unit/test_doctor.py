"""The doctor: its report on any machine, and end to end over the real binding with a stand-in library in C."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from monitor.doctor import LINE_CHARACTERS, Report, doctor, examine, render
from virnucpro_bus.rundir import socket_folder

STAND_IN = Path(__file__).parents[1] / "fake_nvml" / "nvml.c"
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
        },
        {
            "index": None,
            "name": None,
            "uuid": "MIG-1\x1b[31m",
            "memory_used_bytes": None,
            "memory_total_bytes": None,
            "lost": False,
        },
        {
            "index": 1,
            "name": "B",
            "uuid": "GPU-b",
            "memory_used_bytes": None,
            "memory_total_bytes": None,
            "lost": True,
        },
    ],
    "environment": {"CUDA_VISIBLE_DEVICES": "", "CUDA_DEVICE_ORDER": None},
    "cpus": 8,
    "cpus_usable": 2,
    "socket_folder": "/run/demo/.bus",
    "problems": ["NVML: " + "something is wrong and it takes many words to say so " * 4],
}


def run_doctor(*arguments: str, environment: Mapping[str, str]) -> str:
    """What the doctor prints in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", "from monitor.doctor import doctor; doctor()", *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout


@pytest.fixture(scope="module")
def stand_in(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a libnvidia-ml.so.1 of two GPUs, the second of them lost."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        pytest.skip("no C compiler (cc, gcc, clang) to build the stand-in for libnvidia-ml.so.1")
    folder = tmp_path_factory.mktemp("nvml")
    subprocess.run(
        [compiler, "-shared", "-fPIC", "-Wall", "-o", folder / "libnvidia-ml.so.1", STAND_IN], check=True
    )
    return folder


def test_the_real_binding_reports_a_good_and_a_lost_gpu(stand_in: Path) -> None:
    report = json.loads(run_doctor("--json", environment={"LD_LIBRARY_PATH": str(stand_in)}))
    assert report["gpu_backend"] == "nvml"
    assert report["devices"] == [
        {
            "index": 0,
            "name": "Stand-in \N{REPLACEMENT CHARACTER}\x1b[31m",
            "uuid": "GPU-00000000-aaaa-bbbb-cccc-dddddddddddd",
            "memory_used_bytes": 10 * 2**30,
            "memory_total_bytes": 40 * 2**30,
            "lost": False,
        },
        {
            "index": 1,
            "name": "Stand-in \N{REPLACEMENT CHARACTER}\x1b[31m",
            "uuid": "GPU-11111111-aaaa-bbbb-cccc-dddddddddddd",
            "memory_used_bytes": None,
            "memory_total_bytes": None,
            "lost": True,
        },
    ]
    assert report["problems"] == [
        "GPU 1 (GPU-11111111-aaaa-bbbb-cccc-dddddddddddd) is lost; have it reset, or reboot"
    ]


def test_the_real_binding_gives_each_figure_on_its_own(stand_in: Path) -> None:
    script = "from monitor import gpu; print([gpu.get_gpu_utilization(n) for n in (0, 1)])"
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "LD_LIBRARY_PATH": str(stand_in)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    good = {"compute_percent": 73.0, "memory_percent": 25.0, "temperature": 55.0, "power_watts": None}
    assert done.stdout.strip() == str([good, dict.fromkeys(good)])


def test_a_name_from_the_driver_cannot_drive_the_terminal(stand_in: Path) -> None:
    printed = run_doctor(environment={"LD_LIBRARY_PATH": str(stand_in)})
    assert "Stand-in \N{REPLACEMENT CHARACTER}\\x1b[31m" in printed
    assert "\x1b" not in printed


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
