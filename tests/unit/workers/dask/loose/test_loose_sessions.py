"""Runs in which Dask decides, with a client and workers whose part the test plays."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.machine import job, some_inputs
from tests.support.run_files import recorded, results
from virnucpro_bus import events as ev
from virnucpro_bus.clock import ManualClock
from virnucpro_bus.hub.bus_server import BusServer, HubSink
from workers.commit.result_store import ResultStore
from workers.coordinator.coordinator import WorkStealingCoordinator
from workers.desk.executor import Workplace
from workers.desk.limits import Limits
from workers.protocol import Answer, Task, decode_answer

pytest.importorskip("distributed", reason="Dask is not installed: pip install 'virnucpro-bus[dask]'")

from tests.support.fake_cluster import Call, FakeCluster, FakeDaskWorker, member
from workers.dask.cluster import Connection
from workers.dask.dask_workers import DaskWorkers
from workers.dask.inventory import Inventory
from workers.dask.member.claims import Claim, claim
from workers.dask.naming import name_devices

ONE, TWO = "tcp://10.0.0.1:1", "tcp://10.0.0.2:2"
STEALING = "stealing"


class Site:
    """A run of five files on two workers that have loaded the job, all of them submitted to Dask."""

    def __init__(self, server: BusServer, folder: Path) -> None:
        self.clock = ManualClock()
        self.warnings: list[str] = []
        self.server, self.run_dir = server, server.run_dir
        members = {ONE: member("one"), TWO: member("two")}
        self.cluster = FakeCluster(dict(members))
        self.files = some_inputs(folder)
        store = ResultStore(server.run_dir)
        store.prepare()
        sink = HubSink(server, self.clock)
        self.coordinator = WorkStealingCoordinator(
            name_devices(list(members.values())),
            self.files,
            policy="dask",
            retries=1,
            sink=sink,
            clock=self.clock,
        )
        workplace = Workplace(
            server,
            self.coordinator,
            store,
            job="shell:true",
            options={},
            limits=Limits(),
            clock=self.clock,
            warn=self.warnings.append,
        )
        self.workers = DaskWorkers(workplace, lambda _: Connection(self.cluster), Inventory(members), self.files)
        self.coordinator.start()
        self.workers.start()
        self.workers.poll()
        self.one, self.two = (self.cluster.worker(address, self.clock) for address in (ONE, TWO))
        for session in (self.one, self.two):
            session.request()
        self.workers.poll()

    def recorded(self, kind: type[ev.Fact]) -> list[ev.Envelope]:
        """What the capture has of a kind of event."""
        self.server.hub.poll()  # writes the capture
        return recorded(self.run_dir, kind)

    def offers(self) -> dict[str, Call]:
        """What was submitted last for each file, and not taken back."""
        calls = [call for call in self.cluster.calls if (task := task_of(call)) and not call.future.is_released]
        return {task.file: call for call in calls if (task := task_of(call)) is not None}

    def begin(self, session: FakeDaskWorker, call: Call) -> Task:
        """Let Dask bring a file to a worker, which claims and starts it."""
        task = task_of(call)
        assert task is not None
        config = session.config
        assert claim(task.output, Claim(config.source, config.epoch, session.count()))
        if task.stolen_from not in (None, config.device_key):
            assert task.stolen_from is not None
            session.publish(ev.WorkStolen(config.device_key, task.stolen_from, task.file, task.attempt, 1))
        session.publish(ev.FileStarted(config.device_key, task.file, task.attempt))
        return task

    def complete(self, session: FakeDaskWorker, call: Call) -> None:
        """Let a worker do a file that Dask has brought it."""
        session.complete_task(job, self.begin(session, call), call)

    def complete_all(self) -> None:
        """Let the first worker do all that is left, and both be dismissed."""
        for _ in range(10):
            for call in self.offers().values():
                self.complete(self.one, call)
            self.workers.poll()
        for session in (self.one, self.two):
            session.reply(b"")
        self.workers.poll()


def task_of(call: Call) -> Task | None:
    """The file of a loose task; None: it is another call."""
    if len(call.arguments) != 2:
        return None
    answer: Answer = decode_answer(call.arguments[1])
    return answer.tasks[0] if answer.tasks else None


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with BusServer(tmp_path / "run", ManualClock(), has_workers=True) as server:
        made = Site(server, tmp_path / "in")
        yield made
        made.workers.close()


def test_all_files_are_submitted_at_once_each_to_its_own_device(site: Site) -> None:
    owners = {each.file.id: each.owner for each in site.coordinator.pending_files()}
    at = {"cpu:0": ONE, "cpu:1": TWO}
    assert {file: call.address for file, call in site.offers().items()} == {
        file: at[owner or ""] for file, owner in owners.items()
    }
    assert len(owners) == 5
    assert site.coordinator.unsettled == 5


def test_whoever_does_what_the_results_are_all_there_and_the_workers_are_dismissed(site: Site) -> None:
    site.complete_all()
    assert site.coordinator.unsettled == 0
    assert not site.workers.running
    assert len([path for path in results(site.run_dir) if path.endswith(".upper")]) == 5
    assert len(site.recorded(ev.FileCommitted)) == 5


def test_a_file_that_dask_has_moved_is_stolen_at_the_time_at_which_dask_has(site: Site) -> None:
    file, call = next((file, call) for file, call in site.offers().items() if call.address == TWO)
    site.cluster.topics[STEALING]((1.0, ("confirm", call.key, "ready", TWO, ONE, "steal-0")))
    site.complete(site.one, call)
    site.workers.poll()
    [stolen] = site.recorded(ev.WorkStolen)
    assert (stolen.event.file, stolen.event.thief, stolen.event.victim) == (file, "cpu:0", "cpu:1")
    # The worker itself has said 1: it does not know.
    assert stolen.event.stolen_at_ns > 1
    assert site.coordinator.get_recent_steal_events()[0]["dest_gpu"] == "cpu:0"


def test_a_worker_that_dies_before_it_is_heard_is_found_by_its_claim(site: Site) -> None:
    file, call = next((file, call) for file, call in site.offers().items() if call.address == ONE)
    task = task_of(call)
    assert task is not None
    claim(task.output, Claim(site.one.config.source, site.one.config.epoch, 1))
    site.cluster.leave(ONE)
    site.workers.poll()
    assert [each.event.file for each in site.recorded(ev.WorkerLost)] == [file]
    assert any(f"while it worked on {file}" in line for line in site.warnings)


def test_what_a_dead_worker_had_done_is_done_again_and_what_it_did_last_is_to_blame(site: Site) -> None:
    calls = list(site.offers().items())
    (done, first), (deadly, second) = calls[:2]
    site.begin(site.one, first)
    site.workers.poll()
    site.begin(site.one, second)
    site.cluster.leave(ONE)
    site.workers.poll()
    lost = [(each.event.file, each.event.reason) for each in site.recorded(ev.WorkerLost)]
    assert lost == [
        (done, "has left the Dask cluster with a report"),
        (deadly, "has left the Dask cluster"),
    ]
    site.workers.poll()
    attempts = {file: task.attempt for file, call in site.offers().items() if (task := task_of(call)) is not None}
    assert (attempts[done], attempts[deadly]) == (2, 2)


def test_what_a_worker_has_reported_before_it_dies_is_kept(site: Site) -> None:
    calls = list(site.offers().items())
    (done, first), (deadly, second) = calls[:2]
    site.complete(site.one, first)
    site.begin(site.one, second)
    site.cluster.leave(ONE)
    site.workers.poll()
    assert [each.event.file for each in site.recorded(ev.FileCommitted)] == [done]
    assert [each.event.file for each in site.recorded(ev.WorkerLost)] == [deadly]


def test_a_task_that_dask_brings_to_a_second_worker_while_the_first_has_it_is_done_again(site: Site) -> None:
    file, call = next(iter(site.offers().items()))
    site.begin(site.one, call)
    site.workers.poll()
    # The second one finds the claim, and does nothing; what the first makes of it cannot reach us any more.
    call.resolve(b"")
    site.workers.poll()
    assert any(f"was lost by Dask while it worked on {file}" in line for line in site.warnings)
    task = task_of(site.offers()[file])
    assert task is not None
    assert task.attempt == 2


def test_files_of_a_worker_that_is_gone_are_submitted_again_to_those_that_are_there(site: Site) -> None:
    before = {file for file, call in site.offers().items() if call.address == ONE}
    site.cluster.leave(ONE)
    site.workers.poll()
    after = site.offers()
    assert before
    assert len(after) == 5
    assert {call.address for call in after.values()} == {TWO}


def test_a_file_that_dask_brings_to_a_worker_of_others_is_submitted_to_our_own_alone(site: Site) -> None:
    file = next(iter(site.offers()))
    for _ in range(2):
        assert not site.offers()[file].is_pinned
        site.offers()[file].resolve(KeyError("virnucpro-bus-run"))
        site.workers.poll()
    assert site.offers()[file].is_pinned
    assert site.coordinator.unsettled == 5


def test_when_the_run_is_drained_what_no_worker_has_begun_is_taken_back(site: Site) -> None:
    file, call = next(iter(site.offers().items()))
    site.begin(site.one, call)
    site.workers.poll()
    site.workers.drain()
    site.workers.poll()
    assert set(site.offers()) == {file}
    task = task_of(call)
    assert task is not None
    site.one.complete_task(job, task, call)
    site.workers.poll()
    assert site.coordinator.unsettled == 4
    for session in (site.one, site.two):
        session.reply(b"")
    site.workers.poll()
    assert not site.workers.running
