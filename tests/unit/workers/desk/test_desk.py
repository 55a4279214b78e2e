"""The desk with a real bus and store, and with callers in the place of workers, of whatever kind those are."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.machine import some_inputs
from tests.support.office import Office
from tests.support.run_files import recorded, results
from virnucpro_bus.clock import ManualClock
from virnucpro_bus.events.vocabulary import FileCommitted, WorkerLost
from virnucpro_bus.hub.bus_server import BusServer
from workers.inputs.find import find_inputs
from workers.process.attempt import begin
from workers.protocol import Unable
from workers.schedule.ahead import SHORT_SECONDS
from workers.schedule.blame import Loss


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    with BusServer(tmp_path / "run", ManualClock(), has_workers=True) as server:
        yield Office(server, some_inputs(tmp_path / "in"))


@pytest.fixture
def busy(tmp_path: Path) -> Iterator[Office]:
    """An office with sixty files, whose first worker holds fifteen of them."""
    (tmp_path / "in").mkdir()
    for number in range(60):
        (tmp_path / "in" / f"{number:02}.fa").write_text(">s\nACGT\n")
    with BusServer(tmp_path / "run", ManualClock(), has_workers=True) as server:
        office = Office(server, find_inputs([tmp_path / "in"]).files)
        office.report(0, office.completed(0, office.task(0), seconds=0.001))
        office.held = list(office.tasks(0) or ())
        assert len(office.held) == 15
        yield office


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
    assert office.report(0, office.completed(1, other)) == [False]
    assert results(tmp_path / "run") == {}
    assert office.seats[0].assignment is not None
    assert office.report(0, office.failed(0, task, final=False)) == [True]


def test_a_lost_workers_file_is_handed_out_again_and_its_late_report_commits_nothing(
    office: Office, tmp_path: Path
) -> None:
    task = office.task(0)
    late = office.completed(0, task)
    assert office.desk.lose(office.seats[0], "was killed", Loss.DIED) is Loss.DIED
    assert office.report(0, late) == [False]
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
    office.report(0, unable=Unable("no memory"))
    assert (office.seats[0].retired, office.desk.closing, office.warnings) == (True, False, [])
    office.task(1)
    assert office.warnings == ["cpu:0 is retired: no memory"]


def test_a_job_that_loads_nowhere_ends_the_run_with_its_reason(office: Office) -> None:
    office.report(0, unable=Unable("no memory"))
    office.report(1, unable=Unable("no model"))
    assert (office.desk.unable, office.desk.is_over) == ("no model", True)
    assert office.tasks(0) is None


def test_a_disk_that_is_full_while_the_job_loads_is_no_devices_fault(office: Office) -> None:
    office.report(0, unable=Unable("no space left", disk_full=True))
    assert not office.seats[0].retired
    office.desk.can_commit()
    assert (office.desk.closing, office.desk.failed_start) == (True, "no space left")


# Files that a worker holds ahead of their turn.


def test_files_that_are_reported_together_are_committed_together_and_in_order(
    busy: Office, tmp_path: Path
) -> None:
    done = [busy.completed(0, task) for task in busy.held[:4]]
    assert busy.report(0, *done) == [True] * 4
    assert [each.event.file for each in recorded(tmp_path / "run", FileCommitted)][1:] == [
        task.file for task in busy.held[:4]
    ]
    assert busy.seats[0].assignment is not None
    assert busy.seats[0].assignment.file.id == busy.held[4].file


def test_a_failure_between_completed_files_is_settled_in_its_place(busy: Office, tmp_path: Path) -> None:
    first, second, third, fourth = busy.held[:4]
    reports = [busy.completed(0, first), busy.failed(0, second, final=True), busy.completed(0, third)]
    assert busy.report(0, *reports, busy.completed(0, busy.held[5])) == [True, True, True, False]
    committed = [each.event.file for each in recorded(tmp_path / "run", FileCommitted)]
    assert committed[1:] == [first.file, third.file]
    totals = busy.coordinator.get_totals()
    assert (totals["files_completed"], totals["files_failed"]) == (3, 1)
    assert busy.seats[0].assignment is not None
    assert busy.seats[0].assignment.file.id == fourth.file


def test_a_worker_that_holds_files_is_answered_though_it_gets_no_more(busy: Office) -> None:
    busy.report(0, busy.completed(0, busy.held[0]))
    busy.desk.closing = True
    assert busy.tasks(0) == ()


def test_when_no_more_files_are_handed_out_those_that_are_not_begun_are_taken_back(busy: Office) -> None:
    assert begin(busy.held[0])
    assert begin(busy.held[1])
    busy.desk.closing = True
    busy.desk.recall()
    assert [each.assignment.file.id for each in busy.seats[0].held] == [task.file for task in busy.held[:2]]
    assert not any(begin(task) for task in busy.held)
    assert busy.coordinator.get_gpu_metrics()[0]["queue_depth"] == 28


def test_files_behind_one_that_takes_longer_than_was_expected_are_handed_out_again(busy: Office) -> None:
    assert begin(busy.held[0])
    busy.clock.advance(SHORT_SECONDS / 2)
    busy.desk.recall()
    assert len(busy.seats[0].held) == 15
    busy.clock.advance(SHORT_SECONDS / 2)
    busy.desk.recall()
    assert [each.assignment.file.id for each in busy.seats[0].held] == [busy.held[0].file]
    busy.report(0, busy.completed_begun(0, busy.held[0]))
    again, *_ = busy.tasks(0) or ()
    assert (again.file, again.attempt) == (busy.held[1].file, 1)


def test_of_a_lost_workers_files_only_the_one_that_it_worked_on_is_blamed(busy: Office, tmp_path: Path) -> None:
    for task in busy.held[:3]:
        assert begin(task)
    busy.desk.lose(busy.seats[0], "was killed", Loss.DIED)
    assert busy.warnings == [
        f"worker-0 (cpu:0) was killed while it worked on {busy.held[2].file}; what it had not reported is "
        "processed again (2 more)"
    ]
    # The other device takes those as well; what was not begun is where it was, as if nothing had happened.
    attempts = {task.file: task.attempt for task in (busy.task_done(1) for _ in range(6))}
    assert [attempts[task.file] for task in busy.held[:3]] == [2, 2, 2]
    (lost,) = recorded(tmp_path / "run", WorkerLost)
    assert (lost.event.file, lost.event.attempt) == (busy.held[2].file, 1)
    again, *_ = busy.tasks(0) or ()
    assert (again.file, again.attempt) == (busy.held[3].file, 1)


def test_the_file_that_took_too_long_is_blamed_though_the_worker_has_begun_the_next_one(busy: Office) -> None:
    for task in busy.held[:2]:
        assert begin(task)
    overdue, _ = busy.held[:2]
    busy.desk.lose(busy.seats[0], "timed out after 5 s", Loss.TIMED_OUT, busy.seats[0].output)
    assert busy.warnings[0].startswith(f"worker-0 (cpu:0) timed out after 5 s while it worked on {overdue.file};")
    is_last = {task.file: task.is_last for task in (busy.task_done(1) for _ in range(4))}
    assert [is_last[task.file] for task in busy.held[:2]] == [True, False]
