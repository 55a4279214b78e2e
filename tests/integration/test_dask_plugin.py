"""A Dask cluster of somebody's own, with two lines of ours: a hub records its tasks, and monitors show them."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.support.event_balance import assert_that_the_books_balance
from tests.support.fake_gpu_monitors import A, figures
from tests.support.fake_nvml import FakeNvmlLibrary
from tests.support.foreign import without_time
from tests.support.lab import Lab
from tests.support.live_bus import Monitor
from tests.support.run_files import recorded
from virnucpro_bus import events as ev

pytest.importorskip("distributed", reason="Dask is not installed: pip install 'virnucpro-bus[dask]'")

SEQUENCES = 3
PROGRAM = """
import os
import time
from pathlib import Path

from distributed import Client, LocalCluster, wait

from virnucpro_bus.dask import progress, watch


def work(number):
    if number == 7:
        raise ValueError("seven")
    if number == 8 and not Path("killed").exists():
        Path("pid.tmp").write_text(str(os.getpid()))
        os.rename("pid.tmp", "pid")
        until(Path("killed").exists)
    progress(3)


def until(true):
    while not true():
        time.sleep(0.02)


if __name__ == "__main__":
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster) as client,
        watch(client, "bus"),
    ):
        wait(client.map(work, range(30), key=[f"task-{number}" for number in range(30)]))
        cluster.scale(3)
        until(lambda: 2 in cluster.workers and cluster.workers[2].worker_address)
        client.submit(work, 30, key="late", workers=[cluster.workers[2].worker_address]).result()
        until(Path("seen").exists)
"""


class Watched(NamedTuple):
    """What was seen of a cluster of which a worker was killed, and to which one was added."""

    run_dir: Path
    live: dict[str, Any]
    """What a monitor has shown last."""
    replayed: dict[str, Any]
    devices: dict[int | str, dict[str, Any]]
    """The rows of `live` by device."""


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    lab = Lab(tmp_path_factory.mktemp("dask"))
    try:
        yield watch_a_cluster(lab)
        assert lab.left_behind() == []
        assert_that_the_books_balance(lab.folder)
    finally:
        lab.end_all()


def watch_a_cluster(lab: Lab) -> Watched:
    nvml = FakeNvmlLibrary(lab.folder)
    nvml.shows(A)
    run_dir, program = lab.folder / "bus", lab.folder / "program.py"
    program.write_text(PROGRAM)
    running = lab.start(program=program, **nvml.environment)
    running.until((lab.folder / "pid").exists, "a task is in progress")
    running.until(lambda: "task-8" in files(run_dir, ev.FileStarted), "its start is on record")
    os.kill(int((lab.folder / "pid").read_text()), signal.SIGKILL)
    (lab.folder / "killed").touch()
    running.until(lambda: "late" in files(run_dir, ev.FileCompleted), "the late worker has done its task")
    monitor = Monitor(lab)
    monitor.until_it_shows(completed=len(files(run_dir, ev.FileCompleted)))
    (lab.folder / "seen").touch()
    assert running.wait() == 0, running.stderr
    monitor.command.wait()
    live = monitor.reports[-1]
    replay = lab.run("replay", "bus", "--once", "--json")
    return Watched(run_dir, live, json.loads(replay.stdout), {row["device_id"]: row for row in live["devices"]})


def files(run_dir: Path, kind: type[ev.Fact]) -> list[str]:
    """The files of all events of a kind on record so far."""
    return [envelope.event.file for envelope in recorded(run_dir, kind)]


def test_every_task_is_a_file_and_every_worker_a_device(watched: Watched) -> None:
    completed = files(watched.run_dir, ev.FileCompleted)
    assert set(completed) == {"late", *(f"task-{number}" for number in range(30) if number != 7)}
    totals = watched.live["totals"]
    assert (totals["files_completed"], totals["sequences"]) == (len(completed), SEQUENCES * len(completed))
    assert (totals["events_lost"], totals["files_total"]) == (0, None)
    assert {name: row["state"] for name, row in watched.devices.items() if name != 0} == {
        "cpu:0": "stopped",
        "cpu:1": "stopped",
        "cpu:2": "stopped",
    }
    assert watched.devices["cpu:2"]["files_completed"] == 1


def test_a_task_that_raises_is_a_file_that_failed_for_that_reason(watched: Watched) -> None:
    (failed,) = recorded(watched.run_dir, ev.FileFailed)
    assert (failed.event.file, failed.event.reason) == ("task-7", "ValueError('seven')")
    assert watched.live["totals"]["files_failed"] == 1


def test_of_a_worker_that_is_killed_the_loss_and_its_task_are_reported(watched: Watched) -> None:
    (lost,) = recorded(watched.run_dir, ev.WorkerLost)
    assert lost.event.file == "task-8"
    started = recorded(watched.run_dir, ev.WorkerStarted)
    of_device = [each.source for each in started if each.event.device.key == lost.event.device]
    assert lost.event.source in of_device
    assert len(of_device) == 2, "the worker that takes its place has its device"


def test_one_worker_at_a_time_samples_the_gpus_of_its_host(watched: Watched) -> None:
    assert figures(watched.devices[0])[2:] == (30.0, 60.0)
    samples = sorted(recorded(watched.run_dir, ev.GpuSampled), key=attrgetter("mono_ns"))
    # Two, where it was the one that was killed.
    turns = [source for source, _ in groupby(sample.source for sample in samples)]
    assert len(turns) == len(set(turns)) <= 2


def test_the_capture_replays_to_what_was_shown_live(watched: Watched) -> None:
    assert without_time(watched.replayed) == without_time(watched.live)
    assert {path.name for path in watched.run_dir.iterdir()} == {"run.vbus"}
