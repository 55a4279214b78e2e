"""The executor of a run on a Dask cluster, with a client and workers whose part the test plays."""

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

pytest.importorskip("distributed", reason="Dask is not installed: pip install 'virnucpro-bus[dask]'")

from tests.support.fake_cluster import FakeCluster, FakeDaskWorker, member
from tests.support.lab import wait_until
from workers.dask.cluster import Connection
from workers.dask.dask_workers import DESERTED_SECONDS, ENDING_SECONDS, DaskWorkers
from workers.dask.inventory import Inventory
from workers.dask.naming import name_devices

ONE, TWO, THREE = "tcp://10.0.0.1:1", "tcp://10.0.0.2:2", "tcp://10.0.0.3:3"


class Site:
    """A run of five files on two workers, of which the first has a nanny."""

    def __init__(self, server: BusServer, folder: Path) -> None:
        self.clock = ManualClock()
        self.warnings: list[str] = []
        self.run_dir = server.run_dir
        self.server = server
        members = {ONE: member("one", nanny="tcp://10.0.0.1:9"), TWO: member("two")}
        self.cluster = FakeCluster(dict(members))
        files = some_inputs(folder)
        store = ResultStore(server.run_dir)
        store.prepare()
        self.coordinator = WorkStealingCoordinator(
            name_devices(list(members.values())),
            files,
            retries=1,
            sink=HubSink(server, self.clock),
            clock=self.clock,
        )
        workplace = Workplace(
            server,
            self.coordinator,
            store,
            job="shell:true",
            options={},
            limits=Limits(hang_seconds=60.0, file_seconds=100.0),
            clock=self.clock,
            warn=self.warnings.append,
        )
        self.workers = DaskWorkers(workplace, lambda _: Connection(self.cluster), Inventory(members), files)
        self.coordinator.start()
        self.workers.start()
        self.workers.poll()

    def session(self, address: str) -> FakeDaskWorker:
        """The session that was opened last in a worker, which has loaded the job and was given a file."""
        session = self.cluster.worker(address, self.clock)
        session.request()
        self.workers.poll()
        return session

    def finish(self, *sessions: FakeDaskWorker) -> None:
        """Let sessions work until they get no more files."""
        while working := [session for session in sessions if session.is_answered and session.task is not None]:
            for session in working:
                session.complete(job)
            self.workers.poll()
        for session in sessions:
            session.reply(b"")
        self.workers.poll()

    def until_asked(self) -> None:
        """Let a worker that has come answer what it is."""

        def polled() -> bool:
            before = len(self.cluster.calls)
            self.workers.poll()
            return len(self.cluster.calls) > before

        wait_until(polled, "a session is opened")

    def pass_seconds(self, seconds: float) -> None:
        """Let time pass, in turns of half a second."""
        for _ in range(int(seconds * 2)):
            self.clock.advance(0.5)
            self.workers.poll()

    def is_running(self) -> bool:
        """Whether a session is open."""
        return self.workers.running

    def lost(self) -> list[tuple[str, str | None]]:
        """Reason and file of each worker that was lost."""
        self.server.hub.poll()  # writes the capture
        return [(each.event.reason, each.event.file) for each in recorded(self.run_dir, ev.WorkerLost)]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with BusServer(tmp_path / "run", ManualClock(), has_workers=True) as server:
        site = Site(server, tmp_path / "in")
        yield site
        site.workers.close()
    assert not list((tmp_path / "run").glob(".dask-*"))


def test_each_worker_gets_one_file_at_a_time_until_all_are_committed(site: Site) -> None:
    one, two = site.session(ONE), site.session(TWO)
    site.finish(one, two)
    assert not site.is_running()
    assert len([path for path in results(site.run_dir) if path.endswith(".upper")]) == 5
    assert site.lost() == []
    assert one.lease.is_released
    assert two.lease.is_released


def test_a_worker_that_its_nanny_restarts_goes_on_at_its_device_as_a_later_epoch(site: Site) -> None:
    before = site.session(ONE)
    held = before.start().file
    site.cluster.leave(ONE)
    site.workers.poll()
    assert site.lost() == [("has left the Dask cluster", held)]
    assert before.lease.is_released
    site.cluster.join(THREE, member("one", nanny="tcp://10.0.0.1:9"))
    site.until_asked()
    after = site.session(THREE)
    assert (after.config.device_key, after.config.epoch) == (before.config.device_key, before.config.epoch + 1)
    assert after.task is not None


def test_the_report_of_a_worker_that_was_given_up_commits_nothing(site: Site) -> None:
    late = site.session(ONE)
    late.start()
    site.cluster.topics["all"]((1.0, {"action": "remove-worker", "worker": ONE}))
    site.workers.poll()
    late.complete(job)
    site.workers.poll()
    assert results(site.run_dir) == {}


def test_a_worker_that_joins_late_becomes_a_device_of_its_own(site: Site) -> None:
    site.cluster.join(THREE, member("three"))
    site.until_asked()
    late = site.session(THREE)
    assert late.config.device_key == "cpu:2"
    assert [device.key for device in site.coordinator.devices] == ["cpu:0", "cpu:1", "cpu:2"]
    assert late.task is not None
    assert late.task.stolen_from is not None
    assert f"{THREE} joins the run as cpu:2" in site.warnings


def test_a_worker_that_takes_too_long_over_a_file_is_restarted_by_its_nanny(site: Site) -> None:
    slow = site.session(ONE)
    held = slow.start().file
    site.workers.poll()
    beat(site, slow, 99.0)
    assert site.cluster.restarted == []
    beat(site, slow, 2.0)
    wait_until(lambda: site.cluster.restarted == [ONE], "the nanny is asked")
    site.cluster.leave(ONE)
    site.workers.poll()
    assert site.lost() == [("timed out after 100 s", held)]


def test_time_counts_from_when_the_worker_starts_the_file_not_while_others_of_the_cluster_have_it(
    site: Site,
) -> None:
    kept_waiting = site.session(ONE)
    beat(site, kept_waiting, 200.0)
    kept_waiting.start()
    beat(site, kept_waiting, 99.0)
    assert site.cluster.restarted == []


def test_the_run_does_without_a_slow_worker_that_nobody_can_restart(site: Site) -> None:
    slow = site.session(TWO)
    held = slow.start().file
    site.workers.poll()
    beat(site, slow, 101.0)
    assert site.lost() == [("timed out after 100 s", held)]
    assert site.coordinator.is_retired("cpu:1")
    assert slow.lease.is_released
    assert any("has no nanny that could end it; cpu:1 is retired" in line for line in site.warnings)


def test_the_run_does_without_a_worker_that_its_nanny_does_not_restart(site: Site) -> None:
    slow = site.session(ONE)
    slow.start()
    site.workers.poll()
    beat(site, slow, 101.0)
    beat(site, slow, ENDING_SECONDS + 1.0)
    assert site.coordinator.is_retired("cpu:0")


def test_a_silent_worker_is_restarted(site: Site) -> None:
    silent = site.session(ONE)
    silent.start()
    site.pass_seconds(59.0)
    assert site.cluster.restarted == []
    site.pass_seconds(3.0)
    wait_until(lambda: site.cluster.restarted == [ONE], "the nanny is asked")


def test_a_worker_that_is_busy_for_others_before_it_opens_the_session_is_not_silent(site: Site) -> None:
    site.pass_seconds(10_000.0)
    assert site.cluster.restarted == []
    assert site.lost() == []


def test_a_job_that_cannot_be_loaded_anywhere_ends_the_run(site: Site) -> None:
    for address in (ONE, TWO):
        session = site.cluster.worker(address, site.clock)
        session.reply(ModuleNotFoundError("No module named 'dnaio'"))
        site.workers.poll()
    assert site.workers.desk.unable == "ModuleNotFoundError: No module named 'dnaio'"
    assert site.workers.desk.closing
    assert not site.is_running()


def test_without_its_scheduler_the_run_ends_and_blames_no_worker(site: Site) -> None:
    one = site.session(ONE)
    one.start()
    site.cluster.status = "connecting"
    one.reply(OSError("the scheduler has gone"))
    site.workers.poll()
    assert site.workers.desk.closing
    assert not site.is_running()
    assert [line for line in site.warnings if "cpu:" in line] == []
    assert site.warnings == [
        "the run ends early: the Dask scheduler has gone; to continue it, give the same command with --resume"
    ]


def test_a_run_whose_workers_have_all_left_waits_for_one_and_then_ends(site: Site) -> None:
    site.session(ONE)
    for address in (ONE, TWO):
        site.cluster.leave(address)
    site.pass_seconds(DESERTED_SECONDS - 1)
    assert not site.workers.desk.closing
    site.pass_seconds(2.0)
    assert site.workers.desk.closing


def test_the_files_of_a_worker_that_does_not_come_back_go_to_the_others(site: Site) -> None:
    site.cluster.leave(ONE)
    site.pass_seconds(DESERTED_SECONDS - 1)
    assert not site.coordinator.is_retired("cpu:0")
    site.pass_seconds(2.0)
    assert site.coordinator.is_retired("cpu:0")
    assert not site.workers.desk.closing
    assert site.warnings[1:] == ["worker-0 has not come back to the Dask cluster for 120 s; cpu:0 is retired"]


def test_draining_lets_files_finish_and_gives_up_what_only_loads(site: Site) -> None:
    one = site.session(ONE)
    site.workers.drain()
    site.workers.poll()
    assert site.is_running()
    site.finish(one)
    assert not site.is_running()
    assert len([path for path in results(site.run_dir) if path.endswith(".upper")]) == 1


def test_killing_restarts_the_workers_that_have_nannies_and_waits_for_none(site: Site) -> None:
    for address in (ONE, TWO):
        site.session(address).start()
    site.workers.kill()
    wait_until(lambda: site.cluster.restarted == [ONE], "the nanny is asked")
    site.pass_seconds(6.0)
    assert not site.is_running()
    assert {reason for reason, _ in site.lost()} == {"was ended with the run"}


def beat(site: Site, worker: FakeDaskWorker, seconds: float) -> None:
    """Let time pass in which a worker sends its heartbeats."""
    for _ in range(int(seconds * 2)):
        site.clock.advance(0.5)
        worker.publish(ev.Heartbeat(worker.config.device_key, "busy", 0, 0, 0, 0, 0))
        site.workers.poll()
