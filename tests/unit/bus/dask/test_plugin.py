"""What the plugin publishes of a Dask worker, as the worker calls it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from itertools import pairwise
from operator import attrgetter

import pytest

pytest.importorskip("distributed", reason="Dask is not installed: pip install 'virnucpro-bus[dask]'")

from tests.support.fake_dask import FakeTask, FakeWorker
from tests.support.harmful_texts import HARM
from virnucpro_bus import events as ev
from virnucpro_bus.dask import progress
from virnucpro_bus.dask.plugin import BusPlugin, worker_device
from virnucpro_bus.dask.roster import address_of
from virnucpro_bus.dask.topic import topic_of
from virnucpro_bus.events.codec import decode
from virnucpro_bus.text import visible


class PluggedWorker:
    """A worker with the plugin."""

    def __init__(self, worker: FakeWorker) -> None:
        self.worker = worker
        self.plugin = BusPlugin("run-1")
        self.plugin.setup(worker)

    def execute(self, key: object, *states: str) -> None:
        """Let a task go through these states, as Dask reports that."""
        for start, finish in pairwise(states):
            self.plugin.transition(key, start, finish, stimulus_id="test")

    def close(self) -> None:
        asyncio.run(self.plugin.teardown(self.worker))

    def events(self, *kinds: type[ev.Fact]) -> list[ev.Fact]:
        """What it has published so far, of these kinds, in order."""
        envelopes = sorted(map(decode, self.worker.frames()), key=attrgetter("mono_ns"))
        return [envelope.event for envelope in envelopes if isinstance(envelope.event, kinds)]


@pytest.fixture
def plugged(monkeypatch: pytest.MonkeyPatch) -> Iterator[PluggedWorker]:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    found = PluggedWorker(FakeWorker(threads=2))
    yield found
    found.close()


def test_a_task_is_a_file_from_before_its_function_is_called_until_that_returns(plugged: PluggedWorker) -> None:
    plugged.execute("sum-1", "waiting", "ready", "executing")
    assert plugged.events(ev.FileStarted, ev.FileCompleted) == [ev.FileStarted("cpu:0#0", "sum-1")]
    plugged.execute("sum-1", "executing", "memory", "released")
    (completed,) = plugged.events(ev.FileCompleted)
    assert isinstance(completed, ev.FileCompleted)
    assert (completed.device, completed.file, completed.sequences) == ("cpu:0#0", "sum-1", 0)


def test_tasks_at_the_same_time_are_files_of_different_devices(plugged: PluggedWorker) -> None:
    plugged.execute("a", "ready", "executing")
    plugged.execute("b", "ready", "executing")
    plugged.execute("a", "executing", "memory")
    plugged.execute("c", "ready", "executing")
    started = plugged.events(ev.FileStarted)
    assert started == [
        ev.FileStarted("cpu:0#0", "a"),
        ev.FileStarted("cpu:0#1", "b"),
        ev.FileStarted("cpu:0#0", "c"),
    ]
    sources = {decode(frame).source for frame in plugged.worker.frames()}
    assert {address_of(source) for source in sources} == {plugged.worker.address}
    assert len(sources) == 2


def test_a_task_that_raises_has_failed_with_what_it_raised(plugged: PluggedWorker) -> None:
    plugged.worker.state.tasks["bad"] = FakeTask("ValueError('no')")
    plugged.execute("bad", "ready", "executing", "error")
    (failed,) = plugged.events(ev.FileFailed)
    assert isinstance(failed, ev.FileFailed)
    assert (failed.file, failed.reason, failed.final) == ("bad", "ValueError('no')", True)


def test_a_task_that_is_cancelled_occupies_its_slot_until_its_function_ends_and_has_not_failed(
    plugged: PluggedWorker,
) -> None:
    plugged.execute("gone", "ready", "executing", "released")
    plugged.execute("next", "ready", "executing")
    plugged.execute("gone", "cancelled", "memory")
    assert plugged.events(ev.FileStarted)[1:] == [ev.FileStarted("cpu:0#1", "next")]
    (ended,) = plugged.events(ev.FileFailed)
    assert isinstance(ended, ev.FileFailed)
    assert (ended.device, ended.final) == ("cpu:0#0", False)


def test_a_task_that_began_before_the_cluster_was_watched_is_not_counted(plugged: PluggedWorker) -> None:
    plugged.execute("early", "executing", "memory")
    assert plugged.events(ev.FileStarted, ev.FileCompleted) == []


def test_what_a_task_reports_is_its_progress_and_then_its_sequences(plugged: PluggedWorker) -> None:
    plugged.execute("a", "ready", "executing")
    plugged.plugin.progress("a", 3, 10)
    plugged.plugin.progress("a", 10, 10)
    plugged.plugin.progress("unknown", 99, None)
    plugged.execute("a", "executing", "memory")
    assert plugged.events(ev.FileProgress) == [
        ev.FileProgress("cpu:0#0", "a", 0, 3, 10),
        ev.FileProgress("cpu:0#0", "a", 0, 10, 10),
    ]
    assert [event.sequences for event in plugged.events(ev.FileCompleted)] == [10]  # type: ignore[attr-defined]


def test_a_number_that_cannot_be_published_fails_no_task_and_is_reported_once(
    plugged: PluggedWorker, capsys: pytest.CaptureFixture[str]
) -> None:
    plugged.execute("a", "ready", "executing")
    for sequences in (-1, "many", float("nan"), None):
        plugged.plugin.progress("a", sequences, None)  # type: ignore[arg-type]
    assert plugged.events(ev.FileProgress) == []
    assert capsys.readouterr().err.count("progress: ") == 1


def test_progress_that_is_reported_outside_a_task_changes_nothing() -> None:
    progress(5)


def test_a_key_is_published_whole_as_text_that_harms_no_terminal(plugged: PluggedWorker) -> None:
    for text in HARM:
        plugged.execute(f"a/{text}b", "ready", "executing", "memory")
        plugged.execute(("a", text, 0), "ready", "executing", "memory")
    files = [event.file for event in plugged.events(ev.FileStarted) if isinstance(event, ev.FileStarted)]
    assert len(files) == 2 * len(HARM)
    assert all(visible(file) == file for file in files)
    assert all(file.startswith(("a/", "('a', ")) for file in files)


def test_a_worker_that_closes_publishes_the_end_of_each_slot_that_it_has_used() -> None:
    plugged = PluggedWorker(FakeWorker(name="tcp://10.0.0.1:4000"))
    plugged.execute("a", "ready", "executing", "memory")
    plugged.execute("b", "ready", "executing")
    plugged.close()
    plugged.execute("b", "executing", "memory")
    plugged.plugin.progress("b", 1, None)
    plugged.execute("c", "ready", "executing")
    assert [type(event) for event in plugged.events(ev.Fact)][-1] is ev.WorkerStopped
    assert plugged.events(ev.WorkerStopped) == [ev.WorkerStopped("cpu:10.0.0.1:4000", "finished")]
    assert {topic for topic, _ in plugged.worker.messages} == {topic_of("run-1")}


@pytest.mark.parametrize(
    ("name", "environment", "usable_gpus", "key"),
    [
        ("3", {}, 4, "cpu:3"),
        ("3", {"LOCAL_RANK": "1"}, 4, "cpu:3"),
        ("tcp://10.0.0.1:4000", {}, 0, "cpu:10.0.0.1:4000"),
        ("gpu-node-7", {"CUDA_VISIBLE_DEVICES": ""}, 4, "cpu:gpu-node-7"),
        ("0", {"CUDA_VISIBLE_DEVICES": "GPU-1a"}, 4, "GPU-1a"),
        # dask-cuda gives each worker all GPUs, its own first.
        ("1", {"CUDA_VISIBLE_DEVICES": "1,2,3,0"}, 4, "cuda:1"),
        ("1", {"CUDA_VISIBLE_DEVICES": "1,2,3,0", "SLURM_LOCALID": "2"}, 4, "cuda:1"),
        ("1", {"CUDA_VISIBLE_DEVICES": "1,2,3,0"}, 0, "cpu:1"),
    ],
)
def test_the_device_of_a_worker_is_the_first_gpu_that_it_sees_or_else_its_name(
    name: str, environment: dict[str, str], usable_gpus: int, key: str
) -> None:
    assert worker_device(name, environment, None, usable_gpus).key == key
