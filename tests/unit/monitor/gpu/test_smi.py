"""The nvidia-smi backend against a real program of that name, made of a shell script."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from monitor.gpu.nvml import NvmlBackend
from monitor.gpu.reading import BackendUnavailable, GpuReading
from monitor.gpu.smi import SmiBackend
from tests.support.fake_drivers import GIB, GOOD_ROW, FakeGpu, FakeNvml, put_nvidia_smi_on_path
from virnucpro_bus.clock import ManualClock
from virnucpro_bus.events.vocabulary import Device


@pytest.fixture
def smi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    put_nvidia_smi_on_path(tmp_path, monkeypatch)
    return tmp_path


def test_nvidia_smi_gives_the_same_reading_as_nvml_but_for_the_energy(smi: Path) -> None:
    (smi / "output").write_text(GOOD_ROW)
    by_nvml = NvmlBackend(FakeNvml(FakeGpu("GPU-a")), ManualClock()).readings()
    assert SmiBackend().readings() == [replace(reading, energy_millijoules=None) for reading in by_nvml]


WORDS = [
    "[N/A]",
    "[Not Supported]",
    "[Unknown Error]",
    "[Insufficient Permissions]",
    "ERR!",
    "N/A",
    "",
    "nan",
    "inf",
]


@pytest.mark.parametrize("word", WORDS)
def test_a_word_in_place_of_a_number_is_unknown(smi: Path, word: str) -> None:
    (smi / "output").write_text(f"0, GPU-a, NVIDIA A100, {word}, {word}, 40960, {word}, {word}, {word}\n")
    assert SmiBackend().readings() == [GpuReading(Device("GPU-a", "NVIDIA A100", 0), memory_total_bytes=40 * GIB)]


def test_a_quoted_name_with_a_comma_is_one_field(smi: Path) -> None:
    (smi / "output").write_text('0, GPU-a, "Weird, Inc. GPU", 40, 1, 2, 55, 250.50, Disabled\n')
    assert SmiBackend().readings()[0].device.name == "Weird, Inc. GPU"


def test_a_gpu_in_mig_mode_is_divided(smi: Path) -> None:
    (smi / "output").write_text(GOOD_ROW.replace("[N/A]", "Enabled") + GOOD_ROW.replace("0, GPU-a", "1, GPU-b"))
    assert [reading.divided for reading in SmiBackend().readings()] == [True, False]


def test_an_nvidia_smi_that_does_not_know_mig_is_asked_without_it(smi: Path) -> None:
    script = (smi / "nvidia-smi").read_text()
    refusal = "case $1 in *mig*) echo 'Field \"mig.mode.current\" is not a valid field to query.'; exit 2;; esac"
    (smi / "nvidia-smi").write_text(script.replace("#!/bin/sh\n", f"#!/bin/sh\n{refusal}\n"))
    (smi / "output").write_text(GOOD_ROW.replace(", [N/A]", ""))
    backend = SmiBackend()
    for _ in range(2):
        assert [(reading.power_watts, reading.divided) for reading in backend.readings()] == [(250.5, False)]


def test_nvidia_smi_reports_a_lost_gpu_in_its_fields(smi: Path) -> None:
    row = "1, GPU-b, NVIDIA H100, 40, 1, 2, 55, 250.50, Disabled\n"
    (smi / "output").write_text(GOOD_ROW + row)
    backend = SmiBackend()
    before = backend.readings()
    (smi / "output").write_text(GOOD_ROW + "1" + ", [GPU is lost]" * 8 + "\n")
    (smi / "status").write_text("15\n")
    assert backend.readings() == [before[0], GpuReading(Device("GPU-b", "NVIDIA H100", 1), lost=True)]


def test_nvidia_smi_leaves_a_lost_gpu_out(smi: Path) -> None:
    (smi / "output").write_text(GOOD_ROW + "1, GPU-b, NVIDIA H100, 40, 1, 2, 55, 250.50, Disabled\n")
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
    monkeypatch.setattr("monitor.gpu.smi.SMI_SECONDS", 0.05)
    (smi / "nvidia-smi").write_text("#!/bin/sh\nwhile :; do read -t 1 x < /dev/zero; done\n")
    with pytest.raises(BackendUnavailable, match="no answer within"):
        SmiBackend()


def test_nvidia_smi_that_cannot_be_run_is_named(smi: Path) -> None:
    (smi / "nvidia-smi").write_text("#!/nowhere/sh\n")
    with pytest.raises(BackendUnavailable, match=r"nvidia-smi: cannot be run \(No such file .*\); install the N"):
        SmiBackend()


@pytest.mark.parametrize("printed", ["No devices were found", "", "x" * 99_999, "GPU 0: Weird.\tReally."])
def test_what_nvidia_smi_prints_in_place_of_gpus_is_one_line_of_limited_length_with_what_to_do(
    smi: Path, printed: str
) -> None:
    (smi / "output").write_text(f"{printed}\nmore\n" if printed else "")
    with pytest.raises(BackendUnavailable) as caught:
        SmiBackend()
    message = " ".join(printed[:200].rstrip(".").split()) or "prints no GPU"
    assert str(caught.value) == f"nvidia-smi: {message}; start the container with its GPUs, or check dmesg"
