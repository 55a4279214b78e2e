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


def printed(smi: Path, row: str) -> GpuReading:
    """The reading of the GPU about which nvidia-smi prints `row`."""
    (smi / "output").write_text(f"{row}\n", encoding="utf-8")
    [reading] = SmiBackend().readings()
    return reading


@pytest.mark.parametrize("name", ["Weird, Inc. GPU", "A, B, C", "Weird,Inc", '24" of GPU', "GPU, 40"])
@pytest.mark.parametrize("quote", ["", '"'])
def test_a_name_may_contain_commas_whether_or_not_it_is_quoted(smi: Path, name: str, quote: str) -> None:
    reading = printed(smi, f"0, GPU-a, {quote}{name}{quote}, 40, 10240, 40960, 55, 250.50, Disabled")
    figures = reading.compute_percent, reading.memory_used_bytes, reading.temperature_celsius, reading.power_watts
    assert (reading.device.name, figures) == (name, (40.0, 10 * GIB, 55.0, 250.5))


@pytest.mark.parametrize(
    "figures",
    [
        "40, 10240, 40960, 55, 250,50",
        "40 %, 10240 MiB, 40960 MiB, 55, 250.50 W",
        "40%, 10240MiB, 40960MiB, 55 C, 250,50 W",
        '"40 %", "10240 MiB", "40960 MiB", "55", "250,50 W"',
        "40,0\u00a0%, 10240\u00a0MiB, 40960\u00a0MiB, 55,0, 250,5\u00a0W",
    ],
)
@pytest.mark.parametrize("name", ["NVIDIA A100", "Weird, Inc. GPU"])
def test_figures_may_have_units_and_a_decimal_comma(smi: Path, name: str, figures: str) -> None:
    plain = printed(smi, f"0, GPU-a, {name}, 40, 10240, 40960, 55, 250.50, Disabled")
    assert printed(smi, f"0, GPU-a, {name}, {figures}, Disabled") == plain
    assert plain.power_watts == 250.5


@pytest.mark.parametrize(
    "cell", ["250 kW", "1,250", "40 MiB", "--", "2.5.0", "0x40", "1e2", "٤٠ W", "-250 W", "9" * 999]
)
def test_a_figure_in_another_form_or_unit_is_unknown_and_the_others_are_known(smi: Path, cell: str) -> None:
    reading = printed(smi, f"0, GPU-a, NVIDIA A100, 40, 10240, 40960, 55, {cell}, Disabled")
    assert (reading.power_watts, reading.compute_percent, reading.temperature_celsius) == (None, 40.0, 55.0)


@pytest.mark.parametrize(
    "row",
    [
        "0, GPU-a, NVIDIA A100",
        "0, GPU-a, NVIDIA A100, 40, 10240, 40960, 55, 250.50",
        "0, GPU-a, NVIDIA A100, 40, 10240",
        "0,GPU-a,NVIDIA A100,40,10240,40960,55,250,50,Disabled",
    ],
)
def test_a_row_in_which_a_figure_is_missing_or_ambiguous_is_a_gpu_without_figures(smi: Path, row: str) -> None:
    reading = printed(smi, row)
    assert (reading.device.key, reading.device.index) == ("GPU-a", 0)
    assert reading == reading.blank()


def test_figures_are_not_taken_from_the_cells_of_others_when_a_name_has_a_comma_and_one_is_missing(
    smi: Path,
) -> None:
    reading = printed(smi, "0, GPU-a, Weird, Inc. GPU, 40, 10240, 40960, 55, 250.50")
    assert reading == reading.blank()


def test_a_row_without_blanks_is_read_too(smi: Path) -> None:
    assert printed(smi, "0,GPU-a,NVIDIA A100,40,10240,40960,55,250.50,[N/A]").power_watts == 250.5


@pytest.mark.parametrize("variable", ["LC_ALL", "LC_NUMERIC", "LANG"])
def test_nvidia_smi_runs_in_the_c_locale_whatever_that_of_the_user(
    smi: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, "de_DE.UTF-8")
    (smi / "nvidia-smi").write_text(
        '#!/bin/sh\nif [ "$LC_ALL" = C ]; then power=250.50; else power="viel"; fi\n'
        'echo "0, GPU-a, NVIDIA A100, 40, 10240, 40960, 55, $power, [N/A]"\n'
    )
    assert SmiBackend().readings()[0].power_watts == 250.5


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
