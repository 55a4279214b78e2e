"""Runs on Dask clusters of real processes: the same results as ever, whoever dies or comes late."""

from __future__ import annotations

import json
import shutil
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.dask_clusters import DaskCluster
from tests.support.event_balance import assert_that_the_books_balance
from tests.support.lab import Lab, Started, wait_until
from tests.support.run_files import USER_JOBS, Gates, recorded, results, small_files
from virnucpro_bus import events as ev
from virnucpro_bus.dask.topic import topic_of
from virnucpro_bus.events.codec import encode
from virnucpro_bus.events.envelope import make_envelope
from virnucpro_bus.logs.find import find_logs

pytest.importorskip("distributed", reason="Dask is not installed: pip install 'virnucpro-bus[dask]'")

DEADLY = "part_10.fa"


@pytest.fixture(scope="module")
def own(forty: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Lab, Started, Path]]:
    """A run of 40 files on a cluster of its own, one worker of which was killed while it had `DEADLY`."""
    lab = Lab(tmp_path_factory.mktemp("own"))
    options = ("--engine", "dask", "--devices", "cpu:2", "--weights", "3,1", "--no-dashboard")
    ended = lab.run("run", forty, "--out", "out", *options, VIRNUCPRO_FAULT=f"kill after_job {DEADLY}")
    yield lab, ended, lab.folder / "out"
    assert lab.left_behind() == []
    assert_that_the_books_balance(lab.folder)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Lab, DaskCluster]]:
    """A cluster of two workers, of which one has no nanny, that lasts longer than any run on it."""
    lab = Lab(tmp_path_factory.mktemp("shared"))
    shutil.copy(USER_JOBS, lab.folder)
    small_files(lab.folder / "in", 8)
    cluster = DaskCluster(lab)
    cluster.start_worker("one")
    cluster.start_worker("two", "--no-nanny")
    cluster.until_joined("one")
    cluster.until_joined("two")
    yield lab, cluster
    cluster.stop()
    assert lab.left_behind() == []
    assert_that_the_books_balance(lab.folder)


@pytest.fixture(scope="module")
def expected(shared: tuple[Lab, DaskCluster]) -> dict[str, bytes]:
    """What one process makes of the files in the shared cluster's lab."""
    lab, _ = shared
    assert lab.run("run", "in", "--out", "serial", "--devices", "cpu:1", "--no-dashboard").wait() == 0
    return results(lab.folder / "serial")


def commits(run_dir: Path) -> Counter[str]:
    """How often each file was committed."""
    return Counter(envelope.event.file for envelope in recorded(run_dir, ev.FileCommitted))


def test_a_cluster_of_the_runs_own_makes_the_results_of_one_process_although_a_worker_is_killed(
    own: tuple[Lab, Started, Path], serial_results: dict[str, bytes]
) -> None:
    _, ended, run_dir = own
    assert ended.wait() == 0, ended.stderr
    assert results(run_dir) == serial_results
    assert set(commits(run_dir).values()) == {1}
    lost = [envelope.event.file for envelope in recorded(run_dir, ev.WorkerLost)]
    assert lost == [DEADLY]
    assert f"has left the Dask cluster while it worked on {DEADLY}" in ended.stderr


def test_a_capture_of_a_dask_run_replays_to_the_same_figures_and_effect(own: tuple[Lab, Started, Path]) -> None:
    lab, _, run_dir = own
    summary = json.loads((run_dir / "summary.json").read_text())
    replayed = lab.run("replay", run_dir, "--once", "--json")
    report = json.loads(replayed.stdout)
    assert {key: report[key] for key in ("totals", "devices", "effect")} == {
        key: summary[key] for key in ("totals", "devices", "effect")
    }
    assert summary["totals"]["files_completed"] == 40
    assert summary["totals"]["steals"] > 0
    assert summary["effect"]["makespan_seconds"] > 0


def test_two_runs_share_a_cluster_and_keep_what_is_theirs(
    shared: tuple[Lab, DaskCluster], expected: dict[str, bytes]
) -> None:
    lab, cluster = shared
    running = [
        lab.start("run", "in", "--out", name, *cluster.options, "--no-dashboard") for name in ("first", "second")
    ]
    for run, name in zip(running, ("first", "second"), strict=True):
        assert run.wait() == 0, run.stderr
        assert results(lab.folder / name) == expected
        assert set(commits(lab.folder / name).values()) == {1}


def test_a_late_worker_joins_and_a_forged_event_does_not(
    shared: tuple[Lab, DaskCluster], expected: dict[str, bytes]
) -> None:
    lab, cluster = shared
    gates = Gates(lab.folder / "gates")
    gates.close("small_00.fa", "small_01.fa")
    job = ("--job", "user_jobs:gated", "--job-option", gates.option)
    running = lab.start("run", "in", "--out", "late", *cluster.options, *job, "--no-dashboard")
    running.until(lambda: len(gates.waiting()) == 2, "both workers are at their gates")
    forge(cluster.address, recorded(lab.folder / "late", ev.RunStarted)[0].run)
    cluster.add("three")
    running.until(lambda: len(commits(lab.folder / "late")) == 6, "the late worker has done all other files")
    gates.open()
    assert running.wait() == 0, running.stderr
    assert results(lab.folder / "late") == expected
    logs = [(log.shown, log.path.read_text()) for log in find_logs(lab.folder / "late") if log.attempt is not None]
    assert sorted(logs) == [
        (f"logs/small_0{number}.fa.1.log", f"at the gate of small_0{number}.fa\n") for number in range(2)
    ]
    late = {envelope.event.device for envelope in recorded(lab.folder / "late", ev.FileCommitted)}
    assert late == {"cpu:0", "cpu:1", "cpu:2"}
    assert "what the bus of a run refuses: 1 not-messagepack, 2 unknown-stream" in running.stderr
    # It stays for the next runs, as the others do.
    assert cluster.workers["three"].running


def forge(address: str, run: str) -> None:
    """Publish on the topic of a run what none of its workers has: a commit, a start of an epoch to come, noise."""
    from distributed import Client

    def stamped(event: ev.Fact, source: str) -> bytes:
        return encode(make_envelope(event, run=run, host="x", source=source, epoch=9, seq=1, wall_ns=1, mono_ns=1))

    commit = stamped(ev.FileCommitted("cpu:0", "small_00.fa", 1, 1, 1), "coordinator")
    started = stamped(ev.FileStarted("cpu:0", "small_00.fa", 1), "worker-0")
    with Client(address) as client:
        client.log_event(topic_of(run), [commit, started, b"\xff noise"])


def test_workers_forget_a_run_whose_launcher_is_killed_and_another_launcher_resumes_it(
    shared: tuple[Lab, DaskCluster], expected: dict[str, bytes]
) -> None:
    lab, cluster = shared
    gates = Gates(lab.folder / "held")
    gates.close("small_03.fa")
    job = ("--job", "user_jobs:gated", "--job-option", gates.option)
    command = ("run", "in", "--out", "killed", *cluster.options, *job, "--no-dashboard")
    killed = lab.start(*command)
    killed.until(lambda: gates.waiting() and len(commits(lab.folder / "killed")) == 7, "one file is left")
    killed.signal(signal.SIGKILL)
    killed.wait()
    gates.open()
    said = "the launcher has ended this session"
    wait_until(lambda: all(cluster.says(name, said) for name in ("one", "two")), "the workers have forgotten it")
    resumed = lab.run(*command, "--resume")
    assert resumed.wait() == 0, resumed.stderr
    assert results(lab.folder / "killed") == expected
    assert set(commits(lab.folder / "killed").values()) == {1}


def test_a_run_ends_in_order_with_its_scheduler_and_is_resumed_on_this_machine(
    shared: tuple[Lab, DaskCluster], expected: dict[str, bytes]
) -> None:
    lab, cluster = shared
    gates = Gates(lab.folder / "gone")
    gates.close("small_02.fa")
    job = ("--job", "user_jobs:gated", "--job-option", gates.option, "--no-dashboard")
    running = lab.start("run", "in", "--out", "left", *cluster.options, *job)
    running.until(lambda: gates.waiting() and len(commits(lab.folder / "left")) == 7, "one file is left")
    cluster.scheduler.signal(signal.SIGKILL)
    assert running.wait() == 2
    assert (
        "the run ends early: the Dask scheduler has gone; to continue it, give the same command with --resume"
        in running.stderr
    )
    gates.open()
    resumed = lab.run("run", "in", "--out", "left", "--devices", "cpu:1", *job, "--resume")
    assert resumed.wait() == 0, resumed.stderr
    assert results(lab.folder / "left") == expected
    assert set(commits(lab.folder / "left").values()) == {1}
