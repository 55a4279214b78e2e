"""A cluster on a bus: the hub is real, and the client only passes on what the test lets arrive."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("distributed", reason="Dask is not installed: pip install 'virnucpro-bus[dask]'")

from tests.support.fake_dask import FakeClient
from tests.support.run_files import recorded
from virnucpro_bus import events as ev
from virnucpro_bus.clock import SystemClock
from virnucpro_bus.dask.carried import ABSENT_SUFFIX
from virnucpro_bus.dask.roster import source_of
from virnucpro_bus.dask.topic import topic_of
from virnucpro_bus.dask.watch import MEMBERS_TOPIC, Watch, watch
from virnucpro_bus.errors import UserError
from virnucpro_bus.events.codec import encode
from virnucpro_bus.events.envelope import COORDINATOR_SOURCE, Sequencer

ADDRESS = "tcp://10.0.0.2:4000"
LOST = {"action": "remove-worker", "worker": ADDRESS}


class Cluster:
    """A cluster whose watch has a client of its own, `own`."""

    def __init__(self, run_dir: Path, monkeypatch: pytest.MonkeyPatch, **client: Any) -> None:
        self.run_dir = run_dir
        self.own = FakeClient(**client)
        monkeypatch.setattr("virnucpro_bus.dask.watch.Client", lambda *_, **__: self.own)

    def watch(self, *, resume: bool = False) -> Watch:
        return watch(FakeClient(), self.run_dir, resume=resume)

    def publish(self, run: str, *events: ev.Fact, source: str = source_of(ADDRESS, 0)) -> None:
        """Let events of a worker arrive."""
        sequencer = Sequencer(SystemClock(), source=source, run=run, host="node2")
        self.own.receive(topic_of(run), [encode(sequencer.next_envelope(event)) for event in events])


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    return Cluster(tmp_path / "bus", monkeypatch)


def test_what_the_workers_publish_and_the_loss_of_one_is_recorded(cluster: Cluster) -> None:
    with cluster.watch() as watched:
        assert cluster.own.plugins == [topic_of(watched.run)]
        cluster.publish(watched.run, ev.WorkerStarted(ev.Device("cpu:0"), 1), ev.FileStarted("cpu:0", "a"))
        cluster.own.receive(MEMBERS_TOPIC, {"action": "add-worker", "worker": ADDRESS})
        cluster.own.receive(MEMBERS_TOPIC, LOST)
    assert (cluster.own.plugins, cluster.own.is_closed) == ([], True)
    (lost,) = recorded(cluster.run_dir, ev.WorkerLost)
    assert (lost.run, lost.host, lost.event.file) == (watched.run, "node2", "a")
    assert len(recorded(cluster.run_dir, ev.FileStarted)) == 1


def test_the_end_waits_for_the_last_events_of_the_workers(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched = cluster.watch()
    hub_thread = watched._hub
    hub = hub_thread._server.hub
    started, stopped = ev.WorkerStarted(ev.Device("cpu:0"), 1), ev.WorkerStopped("cpu:0", "finished")
    frames = Sequencer(SystemClock(), source=source_of(ADDRESS, 0), run=watched.run, host="node2")
    cluster.own.receive(topic_of(watched.run), [encode(frames.next_envelope(started))])
    last = encode(frames.next_envelope(stopped))
    polls = count()

    def poll(really: Callable[[], int] = hub.poll) -> int:
        if hub_thread._end_ns is not None and next(polls) == 2:
            cluster.own.receive(topic_of(watched.run), [last])
        return really()

    monkeypatch.setattr(hub, "poll", poll)
    watched.close()
    watched.close()
    assert len(recorded(cluster.run_dir, ev.WorkerStopped)) == 1


def test_what_only_a_run_itself_may_publish_is_kept_out(cluster: Cluster) -> None:
    with cluster.watch() as watched:
        cluster.publish(watched.run, ev.RunFinished(0, 7, 7), source=COORDINATOR_SOURCE)
        cluster.publish(watched.run, ev.RunStarted("job", "off", (), 1))
        cluster.own.receive(topic_of(watched.run), [b"no event"])
    assert [each.event for each in recorded(cluster.run_dir, ev.RunFinished)] == [ev.RunFinished(0, 0, 0)]
    assert not recorded(cluster.run_dir, ev.RunStarted)


def test_a_watch_continues_that_of_a_folder_on_request_and_else_leaves_it_alone(cluster: Cluster) -> None:
    with cluster.watch() as first:
        cluster.publish(first.run, ev.FileStarted("cpu:0", "a"))
    with pytest.raises(UserError, match="already holds a run"):
        cluster.watch()
    assert cluster.own.is_closed
    with cluster.watch(resume=True) as second:
        cluster.publish(second.run, ev.FileStarted("cpu:0", "b"))
    assert second.run == first.run
    assert [each.event.file for each in recorded(cluster.run_dir, ev.FileStarted)] == ["a", "b"]


def test_without_the_scheduler_nothing_waits_for_it_at_the_end(cluster: Cluster) -> None:
    with cluster.watch():
        cluster.own.status = "connecting"
    assert cluster.own.is_closed


def test_of_workers_that_cannot_load_the_plugin_there_are_notices_and_the_first_is_printed(
    cluster: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    with cluster.watch() as watched:
        for message in ("tcp://10.0.0.3:1: no module", "tcp://10.0.0.4:1: no\x1b[2J module"):
            cluster.own.receive(topic_of(watched.run) + ABSENT_SUFFIX, message)
    printed = capsys.readouterr().err
    assert printed.endswith("tcp://10.0.0.3:1: no module; install virnucpro-bus there: its tasks are not shown\n")
    assert printed.count("\n") == 1
    notices = [envelope.event.text for envelope in recorded(cluster.run_dir, ev.Notice)]
    assert [notice.partition(";")[0] for notice in notices] == [
        "tcp://10.0.0.3:1: no module",
        "tcp://10.0.0.4:1: no\\x1b[2J module",
    ]


def test_a_cluster_that_does_not_take_the_plugin_is_an_error_of_one_line_and_leaves_the_folder_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = TypeError("cannot be\nloaded")
    refused = Cluster(tmp_path / "bus", monkeypatch, error=error)
    with pytest.raises(UserError) as raised:
        refused.watch()
    message = str(raised.value)
    assert message == "watch: the workers do not take the plugin: TypeError: cannot be\\x0aloaded"
    assert refused.own.is_closed
    with Cluster(tmp_path / "bus", monkeypatch).watch():
        pass


def test_an_asynchronous_or_closed_client_is_refused(tmp_path: Path) -> None:
    closed = FakeClient()
    closed.scheduler = None
    for client in (FakeClient(asynchronous=True), closed):
        with pytest.raises(UserError, match="needs a client that is connected and not asynchronous"):
            watch(client, tmp_path / "bus")
    assert not (tmp_path / "bus").exists()
