"""The desk with a real bus and store, and with callers in the place of workers, of whatever kind those are."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.machine import job, some_inputs
from tests.support.plans import cpus
from tests.support.run_files import recorded, results
from virnucpro_bus.clock import ManualClock
from virnucpro_bus.events.codec import encode
from virnucpro_bus.events.envelope import Sequencer
from virnucpro_bus.events.vocabulary import FileCommitted, FileCompleted, FileFailed
from virnucpro_bus.files.disk import Disk
from virnucpro_bus.hub.bus_server import BusServer, HubSink
from workers.commit.result_store import ResultStore
from workers.coordinator.coordinator import WorkStealingCoordinator
from workers.desk.desk import Desk
from workers.desk.executor import Workplace
from workers.desk.limits import Limits
from workers.desk.seat import Seat
from workers.process.attempt import attempt
from workers.protocol import Settled, Task, Unable
from workers.schedule.blame import Loss


class Office:
    """A desk with two seats and five files."""

    def __init__(self, server: BusServer, folder: Path) -> None:
        self._clock = ManualClock()
        self.warnings: list[str] = []
        store = ResultStore(server.run_dir)
        store.prepare()
        self.coordinator = WorkStealingCoordinator(
            *(cpus(2), some_inputs(folder)),
            policy="off",
            retries=1,
            sink=HubSink(server, self._clock),
            clock=self._clock,
        )
        self.seats = [Seat(number, device, epoch=1) for number, device in enumerate(self.coordinator.devices)]
        self._streams = [Sequencer(self._clock, source=seat.source, epoch=1) for seat in self.seats]
        self.desk = Desk(
            Workplace(server, self.coordinator, store, "", {}, Limits(), self._clock, self.warnings.append),
            self.seats,
        )
        self.coordinator.start()

    def task(self, at: int) -> Task:
        task = self.desk.hand_out(self.seats[at])
        assert task is not None
        return task

    def completed(self, at: int, task: Task) -> Settled:
        done = attempt(job, task, Disk())
        event = FileCompleted(self.seats[at].device.key, task.file, task.attempt, done.sequences, 1.0)
        frame = encode(self._streams[at].next_envelope(event))
        return Settled(frame, done.manifest.size_bytes, done.manifest.digest, input_digest=done.input_digest)

    def failed(self, at: int, task: Task, *, final: bool) -> Settled:
        event = FileFailed(self.seats[at].device.key, task.file, task.attempt, "no", 1.0, final)
        return Settled(encode(self._streams[at].next_envelope(event)))

    def report(self, at: int, settled: Settled | Unable) -> None:
        self.desk.report(self.seats[at], settled)
        self.desk.commit()


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    with BusServer(tmp_path / "run", ManualClock(), has_workers=True) as server:
        yield Office(server, tmp_path / "in")


def test_what_a_worker_reports_as_completed_is_committed_before_its_next_file(
    office: Office, tmp_path: Path
) -> None:
    task = office.task(0)
    office.report(0, office.completed(0, task))
    assert f"{task.file.removesuffix('.fa')}.upper" in results(tmp_path / "run")
    assert office.seats[0].assignment is None
    assert office.task(0).file != task.file


def test_a_report_of_a_file_that_the_worker_does_not_hold_is_refused(office: Office, tmp_path: Path) -> None:
    task, other = office.task(0), office.task(1)
    office.report(0, office.completed(1, other))
    assert office.seats[0].refusal is not None
    assert results(tmp_path / "run") == {}
    assert office.seats[0].assignment is not None
    office.report(0, office.failed(0, task, final=False))
    assert office.seats[0].refusal is None


def test_a_lost_workers_file_is_handed_out_again_and_its_late_report_commits_nothing(
    office: Office, tmp_path: Path
) -> None:
    task = office.task(0)
    late = office.completed(0, task)
    assert office.desk.lose(office.seats[0], "was killed", Loss.DIED) is Loss.DIED
    office.report(0, late)
    assert office.seats[0].refusal is not None
    assert results(tmp_path / "run") == {}
    # The other device takes it before its own, as the file is bigger.
    again = office.task(1)
    assert (again.file, again.attempt) == (task.file, 2)
    office.report(1, office.completed(1, again))
    office.desk.commit()
    assert [each.event.file for each in recorded(tmp_path / "run", FileCommitted)] == [task.file]


def test_an_attempt_that_failed_is_tried_again_and_for_good_only_once(office: Office) -> None:
    task = office.task(0)
    office.report(0, office.failed(0, task, final=False))
    assert office.warnings == [f"{task.file}: attempt 1 on cpu:0 failed, and the file is tried again: no"]
    before = office.coordinator.unsettled
    again = office.task(1)
    office.report(1, office.failed(1, again, final=True))
    assert office.coordinator.unsettled == before - 1


def test_a_job_that_loads_on_one_device_alone_retires_the_other(office: Office) -> None:
    office.report(0, Unable("no memory"))
    assert (office.seats[0].retired, office.desk.closing, office.warnings) == (True, False, [])
    office.task(1)
    assert office.warnings == ["cpu:0 is retired: no memory"]


def test_a_job_that_loads_nowhere_ends_the_run_with_its_reason(office: Office) -> None:
    office.report(0, Unable("no memory"))
    office.report(1, Unable("no model"))
    assert (office.desk.unable, office.desk.is_over) == ("no model", True)
    assert office.desk.hand_out(office.seats[0]) is None


def test_a_disk_that_is_full_while_the_job_loads_is_no_devices_fault(office: Office) -> None:
    office.report(0, Unable("no space left", disk_full=True))
    assert not office.seats[0].retired
    office.desk.can_commit()
    assert (office.desk.closing, office.desk.failed_start) == (True, "no space left")
