"""Which backend is chosen, and why the better ones were not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pynvml
import pytest

from monitor.gpu.backends import BestBackend, has_driver, import_pynvml, open_backend
from monitor.gpu.reading import BackendUnavailable, NullBackend
from tests.support.fake_drivers import GOOD_ROW, FakeGpu, FakeNvml, put_nvidia_smi_on_path
from tests.support.fake_nvml import FakeNvmlLibrary
from virnucpro_bus.clock import ManualClock


@pytest.fixture
def smi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    put_nvidia_smi_on_path(tmp_path, monkeypatch)
    return tmp_path


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
    script = "import sys, monitor.gpu.sampler; sys.exit('pynvml' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


# --- whether there is anything to choose


def test_a_machine_has_a_driver_where_there_is_nvidia_smi_or_the_library(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = FakeNvmlLibrary(tmp_path)
    put_nvidia_smi_on_path(tmp_path, monkeypatch)
    assert has_driver()
    empty = {"PATH": str(tmp_path / "nothing"), "LD_LIBRARY_PATH": str(tmp_path)}
    (tmp_path / "libnvidia-ml.so.1").write_bytes(b"")  # hides the machine's own, if there is one
    script = "from monitor.gpu.backends import has_driver; print(has_driver())"

    def answer(environment: dict[str, str]) -> str:
        command = [sys.executable, "-c", script]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.strip()

    assert [answer(empty), answer(empty | library.environment)] == ["False", "True"]


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
    assert (backend.name, [r.device.key for r in backend.readings()], len(backend.problems)) == (
        "nvidia-smi",
        ["GPU-a"],
        1,
    )
    assert "mismatch" in backend.problems[0]


@pytest.mark.parametrize("function", ["nvmlInit", "nvmlDeviceGetCount", "nvmlDeviceGetUtilizationRates"])
def test_a_binding_of_another_make_that_raises_anything_is_stepped_over_with_the_reason(
    smi: Path, monkeypatch: pytest.MonkeyPatch, function: str
) -> None:
    def broken(*_: object) -> None:
        raise ValueError("made for\nanother driver")

    (smi / "output").write_text(GOOD_ROW)
    monkeypatch.setattr(FakeNvml, function, broken)
    backend = open_backend(ManualClock(), FakeNvml(FakeGpu("GPU-n")))
    assert (backend.name, [reading.device.key for reading in backend.readings()]) == ("nvidia-smi", ["GPU-a"])
    assert backend.problems[0].startswith("NVML: ValueError: made for another driver; pip install")


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


def test_a_missing_nvidia_smi_is_a_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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


# --- what works later


def best_of(nvml: FakeNvml) -> tuple[BestBackend, ManualClock]:
    clock = ManualClock()
    nvml.down = pynvml.NVML_ERROR_DRIVER_NOT_LOADED
    return BestBackend(clock, nvml), clock


def test_nvml_that_was_not_there_at_first_is_used_when_it_is_and_tried_once_in_five_seconds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    nvml = FakeNvml(FakeGpu("GPU-n"))
    backend, clock = best_of(nvml)
    for _ in range(20):
        assert backend.readings() == []
        clock.advance(0.5)
    assert (backend.name, nvml.starts, len(backend.problems)) == ("none", 1 + 1, 2)
    nvml.down = None
    assert [reading.device.key for reading in backend.readings()] == ["GPU-n"]
    assert (backend.name, list(backend.problems)) == ("nvml", [])
    for _ in range(20):
        backend.readings()
        clock.advance(0.5)
    assert nvml.starts == 3


def test_nvidia_smi_stays_in_use_until_nvml_works(smi: Path) -> None:
    (smi / "output").write_text(GOOD_ROW + "1, GPU-b, NVIDIA H100, 40, 1, 2, 55, 250.50, [N/A]\n")
    nvml = FakeNvml(FakeGpu("GPU-a"))
    backend, clock = best_of(nvml)
    backend.readings()
    (smi / "output").write_text(GOOD_ROW)
    clock.advance(5)
    assert [(reading.device.key, reading.lost) for reading in backend.readings()] == [
        ("GPU-a", False),
        ("GPU-b", True),
    ]
    assert backend.problems[0].endswith("; using nvidia-smi until then")
    nvml.down = None
    clock.advance(5)
    assert [reading.energy_millijoules for reading in backend.readings()] == [7_000_500]


def test_nvidia_smi_that_was_not_there_at_first_is_used_when_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    backend, clock = best_of(FakeNvml())
    put_nvidia_smi_on_path(tmp_path, monkeypatch)
    (tmp_path / "output").write_text(GOOD_ROW)
    clock.advance(5)
    assert [reading.device.key for reading in backend.readings()] == ["GPU-a"]
