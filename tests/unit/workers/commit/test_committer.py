"""When the disk is full or fails: pause, continue or stop, and never call a file done that is not."""

from __future__ import annotations

import errno
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.support.machine import Machine, some_inputs
from tests.support.run_files import recorded, results
from virnucpro_bus.events.run_events import FilesAssigned, RunStarted
from virnucpro_bus.events.vocabulary import FileCommitted
from virnucpro_bus.files.disk import Disk, StrPath
from workers.inputs.input_file import InputFile
from workers.protocol import Refusal


class Moody(Disk):
    """A disk that works until an error is set."""

    write_error = sync_error = rename_error = 0

    def write(self, descriptor: int, data: bytes | memoryview) -> int:
        if self.write_error:
            raise OSError(self.write_error, "no")
        return super().write(descriptor, data)

    def sync(self, descriptor: int) -> None:
        if self.sync_error:
            raise OSError(self.sync_error, "no")
        super().sync(descriptor)

    def rename(self, source: StrPath, target: StrPath) -> None:
        if self.rename_error:
            raise OSError(self.rename_error, "no")
        super().rename(source, target)


@pytest.fixture
def inputs(tmp_path: Path) -> Sequence[InputFile]:
    return some_inputs(tmp_path / "in")


@pytest.fixture
def disk() -> Moody:
    return Moody()


@pytest.fixture
def machine(tmp_path: Path, inputs: Sequence[InputFile], disk: Moody) -> Machine:
    made = Machine(tmp_path / "run", inputs, disk)
    made.start()
    return made


def committed(tmp_path: Path) -> list[str]:
    return [envelope.event.file for envelope in recorded(tmp_path / "run", FileCommitted)]


def test_what_is_reported_together_is_synced_together(
    tmp_path: Path, machine: Machine, disk: Moody, monkeypatch: pytest.MonkeyPatch
) -> None:
    reports = [machine.attempt(0), machine.attempt(1)]
    syncs: list[int] = []
    monkeypatch.setattr(disk, "sync", syncs.append)
    machine.commits.commit([report for report in reports if report is not None])
    assert len(syncs) <= 3, "the results folder, a folder of one of them, the journal"
    assert len(committed(tmp_path)) == 2


def test_what_attempts_have_left_is_removed_only_when_their_workers_can_be_answered(
    tmp_path: Path, machine: Machine
) -> None:
    reports = [report for at in range(2) if (report := machine.attempt(at)) is not None]
    left = [Path(report.output) for report in reports]
    (left[0] / "later").mkdir()  # by a process that the job has left running
    machine.commits.commit(reports)
    (left[1] / "later").touch()
    assert len(committed(tmp_path)) == len(reports) == 2
    assert all(folder.is_dir() for folder in left)
    machine.commits.tidy()
    assert not any(folder.exists() for folder in left)


def test_while_the_journal_has_no_room_nothing_is_ready_and_then_it_is_recorded(
    tmp_path: Path, machine: Machine, disk: Moody
) -> None:
    report = machine.attempt(0)
    assert report is not None
    assert machine.commits.ready()
    disk.write_error = errno.ENOSPC
    machine.commits.commit([report])
    assert report.refusal is None
    assert not machine.commits.ready()
    assert committed(tmp_path) == []
    disk.write_error = 0
    machine.wait(1)
    assert machine.commits.ready()
    assert committed(tmp_path) == [report.held.file.id]
    assert machine.commits.stop_reason is None


def test_nothing_is_ready_before_the_plan_is_on_disk(
    tmp_path: Path, inputs: Sequence[InputFile], disk: Moody
) -> None:
    machine = Machine(tmp_path / "run", inputs, disk)
    disk.write_error = errno.ENOSPC
    machine.start()
    assert not machine.commits.ready()
    assert recorded(tmp_path / "run", RunStarted) == []
    disk.write_error = 0
    machine.wait(1)
    assert machine.commits.ready()
    assert len(recorded(tmp_path / "run", RunStarted)) == 1
    planned = [
        file.file for envelope in recorded(tmp_path / "run", FilesAssigned) for file in envelope.event.files
    ]
    assert sorted(planned) == sorted(file.id for file in inputs)


def test_a_plan_that_could_not_be_synced_ends_the_session_at_once(
    tmp_path: Path, inputs: Sequence[InputFile], disk: Moody
) -> None:
    machine = Machine(tmp_path / "run", inputs, disk)
    disk.sync_error = errno.EIO
    assert not machine.commits.ready()
    assert machine.commits.stop_reason is not None


def test_a_journal_that_could_not_be_synced_is_never_relied_on_again(
    tmp_path: Path, machine: Machine, disk: Moody
) -> None:
    report = machine.attempt(0)
    assert report is not None
    disk.sync_error = errno.EIO
    machine.capture.sync()
    disk.sync_error = 0
    machine.wait(10)
    assert not machine.commits.ready()
    assert machine.commits.stop_reason is not None


def test_results_whose_folder_could_not_be_synced_are_removed(
    tmp_path: Path, machine: Machine, disk: Moody
) -> None:
    report = machine.attempt(0)
    assert report is not None
    disk.sync_error = errno.EIO
    machine.commits.commit([report])
    assert report.refusal == Refusal("the results cannot be moved into the results folder: no")
    assert machine.commits.stop_reason == report.refusal.reason
    assert results(tmp_path / "run") == {}
    assert machine.coordinator.get_totals()["files_completed"] == 0
    disk.sync_error = 0
    assert machine.commits.ready()


def test_a_results_folder_that_was_replaced_ends_the_session(tmp_path: Path, machine: Machine) -> None:
    report = machine.attempt(0)
    assert report is not None
    (tmp_path / "run" / "results").rename(tmp_path / "run" / "kept")
    (tmp_path / "run" / "results").mkdir()
    machine.commits.commit([report])
    assert machine.commits.stop_reason is not None
    assert "no longer the folder that it was when the run started" in machine.commits.stop_reason
    assert results(tmp_path / "run") == {}


@pytest.mark.parametrize(
    ("error", "ends"),
    [(errno.ENOTEMPTY, False), (errno.ENOSPC, True), (errno.EDQUOT, True), (errno.EIO, True), (errno.EROFS, True)],
)
def test_where_no_results_can_be_placed_the_session_ends_and_no_file_is_charged(
    tmp_path: Path, machine: Machine, disk: Moody, error: int, ends: bool
) -> None:
    report = machine.attempt(0)
    assert report is not None
    disk.rename_error = error
    machine.commits.commit([report])
    assert report.refusal is not None
    assert (machine.commits.stop_reason is not None) is ends
    assert machine.coordinator.get_totals()["files_failed"] == (not ends)
    assert report.refusal.is_final == (not ends)
    assert results(tmp_path / "run") == {}
    assert committed(tmp_path) == []


@pytest.mark.parametrize("replace", [False, True], ids=["removed", "replaced by a file"])
def test_results_that_have_no_folder_any_more_end_the_session_and_no_file_is_charged(
    tmp_path: Path, machine: Machine, replace: bool
) -> None:
    report = machine.attempt(0)
    assert report is not None
    folder = tmp_path / "run" / "results"
    folder.rmdir()
    if replace:
        folder.touch()
    machine.commits.commit([report])
    assert machine.commits.stop_reason is not None
    assert machine.coordinator.get_totals()["files_failed"] == 0
