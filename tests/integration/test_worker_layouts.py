"""Whole runs whose workers share a GPU, or use several: what they see, and what is shown of them."""

from __future__ import annotations

import json
from typing import Any

from tests.support.fake_gpu_monitors import A, B, C
from tests.support.fake_nvml import GIB, FakeNvmlLibrary
from tests.support.lab import Lab, wait_until
from tests.support.run_files import small_files, summary
from virnucpro_bus.system.cores import usable_cores

JOB = """
import os, time
def run(input, output, context):
    seen = os.environ["CUDA_VISIBLE_DEVICES"], os.environ["OMP_NUM_THREADS"], ",".join(context.devices)
    (output / "seen.txt").write_text(" ".join([context.device_key, *seen]))
    open(f"{context.options['gate']}/{input.name}", "w").close()
    while not os.path.exists(f"{context.options['gate']}/open"):
        time.sleep(0.01)
    return 1
"""
FIGURES = ("compute_percent", "memory_used_bytes", "memory_total_bytes", "power_watts", "energy_joules")


def run_with(lab: Lab, workers: int, *layout: str) -> tuple[list[dict[str, Any]], str, list[str]]:
    """Run a file on each of so many workers; return the rows while all are busy, the screen, and what jobs saw."""
    (lab.folder / "looking.py").write_text(JOB)
    names = small_files(lab.folder / "in", workers)
    gate = lab.folder / "gate"
    gate.mkdir()
    running = lab.start(
        *("run", "in", "--out", "out", "--no-dashboard", *layout),
        *("--job", "looking:run", "--job-option", f"gate={gate}"),
    )
    running.until(lambda: len(list(gate.iterdir())) == workers, "each worker has a file")
    rows: list[dict[str, Any]] = []

    def all_sampled() -> bool:
        rows[:] = json.loads(lab.run("monitor", "out", "--once", "--json").stdout)["devices"]
        return all(row["temperature"] is not None for row in rows)

    wait_until(all_sampled, "a sample of each GPU")
    screen = lab.run("monitor", "out", "--once", COLUMNS="160").stdout
    (gate / "open").touch()
    assert running.wait() == 0, running.stderr
    assert summary(lab.folder / "out")["totals"]["files_completed"] == len(names)
    return rows, screen, sorted(path.read_text() for path in (lab.folder / "out" / "results").rglob("seen.txt"))


def test_workers_that_share_simulated_gpus_all_work_and_show_the_figures_of_the_whole_gpu(lab: Lab) -> None:
    rows, screen, seen = run_with(lab, 4, "--fake-gpus", "2", "--workers-per-device", "2")
    keys = ["sim:0#0", "sim:0#1", "sim:1#0", "sim:1#1"]
    assert [row["key"] for row in rows] == keys
    assert seen == [f"{key}  {max(1, usable_cores({}).number // 4)} cpu" for key in keys]
    figures = [[row[name] for name in FIGURES] for row in rows]
    assert (figures[0], figures[2]) == (figures[1], figures[3])
    assert "2 x simulated GPU, 4 workers" in screen


def test_a_worker_sees_the_gpus_of_its_device_and_has_their_figures(nvml: FakeNvmlLibrary, lab: Lab) -> None:
    nvml.shows(C, A, B)
    rows, screen, seen = run_with(lab, 4, "--devices", "cuda:0+1,2", "--workers-per-device", "2")
    joined, alone = [C.uuid, A.uuid], [B.uuid]
    assert [(row["device_id"], row["key"], row["gpus"], row["uuid"]) for row in rows] == [
        ("0+1#0", f"{C.uuid}+{A.uuid}#0", joined, None),
        ("0+1#1", f"{C.uuid}+{A.uuid}#1", joined, None),
        ("2#0", f"{B.uuid}#0", alone, B.uuid),
        ("2#1", f"{B.uuid}#1", alone, B.uuid),
    ]
    names, threads = ("cuda:0,cuda:1", "cuda:0"), max(1, usable_cores({}).number // 4)
    assert seen == sorted(
        f"{row['key']} {','.join(row['gpus'])} {threads} {names[row['gpus'] == alone]}" for row in rows
    )
    figures = [[row[name] for name in FIGURES] for row in rows]
    assert figures[0] == figures[1]
    assert figures[0][:4] == [50.0, 34 * GIB, 80 * GIB, 360.0]
    assert figures[0][4] >= 2 * 7_000.5  # the counter rises
    assert figures[2] == figures[3] == [None, None, None, None, None]
    assert "3 x A100, 4 workers" in screen
