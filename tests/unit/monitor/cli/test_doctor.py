"""The doctor: its report on any machine, and end to end over the real binding with a stand-in library in C."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from monitor.cli.doctor import LINE_CHARACTERS, Report, doctor, examine, render
from tests.support.doctor_runs import run_doctor
from tests.support.fake_nvml import FakeNvmlLibrary, Gpu
from virnucpro_bus.files.socket_folder import socket_folder

REPORT: Report = {
    "versions": {"python": "3.11.2", "nvidia-ml-py": None},
    "gpu_backend": "nvml",
    "has_nvidia_gpu": True,
    "devices": [
        {
            "index": 0,
            "name": "NVIDIA A100-SXM4-80GB",
            "uuid": "GPU-1f2e3d4c-aaaa-bbbb-cccc-0123456789ab",
            "memory_used_bytes": 3 * 2**29,
            "memory_total_bytes": 80 * 2**30,
            "lost": False,
            "mig_of": None,
            "divided": False,
        },
        {
            "index": None,
            "name": None,
            "uuid": "MIG-1\x1b[31m",
            "memory_used_bytes": None,
            "memory_total_bytes": None,
            "lost": False,
            "mig_of": "GPU-1f2e3d4c-aaaa-bbbb-cccc-0123456789ab",
            "divided": False,
        },
        {
            "index": 1,
            "name": "B",
            "uuid": "GPU-b",
            "memory_used_bytes": None,
            "memory_total_bytes": None,
            "lost": True,
            "mig_of": None,
            "divided": False,
        },
    ],
    "environment": {"CUDA_VISIBLE_DEVICES": "", "CUDA_DEVICE_ORDER": None},
    "cpus": 8,
    "cpus_usable": 2,
    "cpus_limit": "cgroup quota: 1.5 cores",
    "socket_folder": "/run/demo/.bus",
    "problems": ["NVML: " + "something is wrong and it takes many words to say so " * 4],
}


@pytest.fixture
def nvml(tmp_path: Path) -> FakeNvmlLibrary:
    """A driver's library, and no nvidia-smi on the PATH."""
    library = FakeNvmlLibrary(tmp_path)
    library.environment["PATH"] = str(tmp_path)
    return library


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
            "divided": False,
        },
        {
            "index": 1,
            "name": "Stand-in \N{REPLACEMENT CHARACTER}\x1b[31m",
            "uuid": "GPU-1111",
            "memory_used_bytes": None,
            "memory_total_bytes": None,
            "lost": True,
            "mig_of": None,
            "divided": False,
        },
    ]
    assert report["problems"] == ["GPU 1 (GPU-1111): is lost; check dmesg, reset it, or reboot"]


def test_mig_instances_are_listed_after_their_gpu(nvml: FakeNvmlLibrary) -> None:
    nvml.shows(Gpu("GPU-a", mig=(Gpu("MIG-1"), Gpu("MIG-2"))), Gpu("GPU-b"))
    devices = json.loads(run_doctor("--json", environment=nvml.environment))["devices"]
    keys = ("uuid", "index", "mig_of", "divided")
    assert [tuple(device[name] for name in keys) for device in devices] == [
        ("GPU-a", 0, None, True),
        ("MIG-1", None, "GPU-a", False),
        ("MIG-2", None, "GPU-a", False),
        ("GPU-b", 1, None, False),
    ]


def test_a_name_from_the_driver_cannot_drive_the_terminal(nvml: FakeNvmlLibrary) -> None:
    nvml.shows(Gpu("GPU-a", b"Stand-in \xff\x1b[31m"))
    printed = run_doctor(environment=nvml.environment)
    assert "Stand-in \N{REPLACEMENT CHARACTER}\\x1b[31m" in printed
    assert "\x1b" not in printed


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


def test_an_unset_variable_differs_from_an_empty_one(tmp_path: Path) -> None:
    assert examine(tmp_path, {"CUDA_VISIBLE_DEVICES": ""})["environment"] == {
        "CUDA_VISIBLE_DEVICES": "",
        "CUDA_DEVICE_ORDER": None,
    }


def test_json_has_the_keys_of_the_report(tmp_path: Path) -> None:
    report: Any = json.loads(CliRunner().invoke(doctor, [str(tmp_path), "--json"]).stdout)
    assert report.keys() == Report.__annotations__.keys()


def test_the_plain_report_shows_what_is_unknown_lost_unset_and_empty() -> None:
    lines = render(REPORT).splitlines()
    assert "  nvidia-ml-py   not installed" in lines
    assert "   0  NVIDIA A100-SXM4-80GB  1.5 of 80.0 GiB used" in lines
    assert "   -  name unknown  n/a of n/a GiB used" in lines
    assert "   1  B  LOST" in lines
    assert "  CUDA_VISIBLE_DEVICES is set and empty" in lines
    assert "  CUDA_DEVICE_ORDER is not set" in lines
    assert "  CPUs: 2 usable of 8 (cgroup quota: 1.5 cores)" in lines


def test_the_plain_report_fits_80_columns_and_holds_no_control_characters() -> None:
    lines = render(REPORT).splitlines()
    assert max(map(len, lines)) <= LINE_CHARACTERS
    assert all(line.isprintable() for line in lines)


def test_a_driver_that_does_not_answer_differs_from_no_gpu() -> None:
    text = render({**REPORT, "gpu_backend": None, "devices": []})
    assert "GPUs (the driver does not answer)\n  none" in text


def test_a_machine_without_an_nvidia_gpu_is_said_to_have_none() -> None:
    text = render({**REPORT, "gpu_backend": "none", "has_nvidia_gpu": False, "devices": []})
    assert "GPUs\n  none: this machine has no NVIDIA GPU" in text


def test_help_shows_an_example() -> None:
    result = CliRunner().invoke(doctor, ["--help"])
    assert result.exit_code == 0
    assert "  virnucpro-bus doctor --json" in result.stdout
