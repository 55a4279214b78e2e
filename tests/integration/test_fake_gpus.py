"""A run on simulated GPUs: everything is shown as with real ones, and that they are none is said everywhere."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from tests.support.lab import Lab
from tests.support.run_files import Gates, recorded, small_files, summary
from virnucpro_bus.events.vocabulary import GpuSampled

JOB = ("--job", "user_jobs:gated")


@pytest.fixture
def run_dir(lab: Lab) -> Path:
    """Two simulated GPUs have each worked on a file until they were under load, and then on others."""
    names = small_files(lab.folder / "in", 6)
    gates = Gates(lab.folder / "gates")
    gates.close(*names[:2])
    running = lab.start(
        *("run", "in", "--out", "out", "--fake-gpus", "2", "--no-dashboard", "--interval", "0.2"),
        *(*JOB, "--job-option", gates.option),
    )
    running.until(lambda: len(gates.waiting()) == 2, "both workers are at a gate")
    watcher = lab.start("monitor", "out", "--json", "--interval", "0.2")

    def busy() -> bool:
        lines = watcher.stdout.splitlines()[:-1]
        loads = [row["compute_percent"] for row in json.loads(lines[-1])["devices"]] if lines else []
        return len(loads) == 2 and all(load is not None and load > 50 for load in loads)

    running.until(busy, "both devices are under load")
    gates.open()
    assert running.wait() == 0, running.stderr
    assert watcher.wait() == 0, watcher.stderr
    assert "simulated" in running.stderr
    return lab.folder / "out"


def near(figure: float | None, rel: float | None = None, abs: float | None = None) -> object:
    """What equals `figure` nearly; a file that began before its GPU was sampled has none."""
    return None if figure is None else pytest.approx(figure, rel, abs)


def test_figures_are_known_marked_as_simulated_and_the_same_everywhere(lab: Lab, run_dir: Path) -> None:
    ended = lab.run("monitor", run_dir, "--once", "--json")
    report = json.loads(ended.stdout)
    assert [row["device_id"] for row in report["devices"]] == ["sim:0", "sim:1"]
    figures = ("compute_percent", "compute_max_percent", "memory_percent", "temperature", "power_watts")
    for row in report["devices"]:
        assert (row["simulated"], row["uuid"], row["device_name"]) == (True, None, "simulated GPU")
        assert None not in [row[figure] for figure in (*figures, "energy_joules")]
    for exact, told in zip(summary(run_dir)["files"], report["files"], strict=True):
        # The report combines samples that come within a sixteenth of a second.
        load, energy = near(told["compute_percent"], abs=5), near(told["energy_joules"], rel=0.05)
        assert {**told, "compute_percent": load, "energy_joules": energy} == exact
    assert all(envelope.event.simulated for envelope in recorded(run_dir, GpuSampled))
    with (run_dir / "gpu_metrics.log").open(newline="") as file:
        assert "true" in {row["simulated"] for row in csv.DictReader(file)}


def test_files_have_figures_in_the_report_and_in_the_export(lab: Lab, run_dir: Path) -> None:
    report = json.loads(lab.run("monitor", run_dir, "--once", "--json").stdout)
    exported = lab.run("export", run_dir, "--format", "jsonl")
    assert (exported.wait(), exported.stderr) == (0, "")
    rows = [json.loads(line) for line in exported.stdout.splitlines()]
    assert [file["file"] for file in report["files"]] == [row["file"] for row in rows]
    assert len(rows) == 6
    for told in (report["files"][-2:], rows[-2:]):
        for file in told:
            assert file["compute_percent"] > 0
            assert file["memory_peak_bytes"] > 0
            assert file["energy_joules"] > 0


def test_jobs_are_given_the_cpu_and_no_real_gpu_is_claimed(lab: Lab) -> None:
    (lab.folder / "telling.py").write_text(
        "import os\n"
        "def run(input, output, context):\n"
        "    seen = os.environ['CUDA_VISIBLE_DEVICES']\n"
        "    (output / f'{input.stem}.txt').write_text(f'{context.device} {context.device_key} [{seen}]')\n"
        "    return 1\n"
    )
    small_files(lab.folder / "in", 1)
    environment = {"XDG_RUNTIME_DIR": str(lab.folder)}
    arguments = ("run", "in", "--out", "out", "--fake-gpus", "1", "--no-dashboard", "--job", "telling:run")
    ended = lab.run(*arguments, **environment)
    assert ended.wait() == 0, ended.stderr
    [result] = (lab.folder / "out" / "results").rglob("*.txt")
    assert result.read_text() == "cpu sim:0 []"
    assert list(lab.folder.rglob("*.lock")) == []


def test_devices_and_simulated_gpus_together_are_refused_in_one_line(lab: Lab) -> None:
    small_files(lab.folder / "in", 1)
    ended = lab.run("run", "in", "--out", "out", "--fake-gpus", "2", "--devices", "cpu:2")
    assert ended.wait() == 2
    assert ended.stderr.count("\n") == 1
    assert "--fake-gpus" in ended.stderr
    assert not (lab.folder / "out").exists()
