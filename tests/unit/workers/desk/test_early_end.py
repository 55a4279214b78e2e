"""The desk of a run that ends early for what has become of its files."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.office import Office
from tests.support.run_files import recorded
from virnucpro_bus.clock import ManualClock
from virnucpro_bus.events.vocabulary import FileReopened
from virnucpro_bus.hub.bus_server import BusServer
from workers.desk.first_failures import FIRST_FILES
from workers.desk.halt import parse_halt
from workers.inputs.find import find_inputs
from workers.schedule.blame import Loss

FILES = 30
MakeOffice = Callable[..., Office]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[MakeOffice]:
    """Makes an office with thirty files, each longer than the next."""
    (tmp_path / "in").mkdir()
    for number in range(FILES):
        (tmp_path / "in" / f"{number:02}.fa").write_text(">s\n" + "ACGT" * (FILES - number) + "\n")
    with BusServer(tmp_path / "run", ManualClock(), has_workers=True) as server:
        yield lambda **options: Office(server, find_inputs([tmp_path / "in"]).files, **options)


def fail_all(office: Office, reason: Callable[[str], str], *, final: bool, most: int = 200) -> list[str]:
    """Let both workers fail whatever they get, until they get nothing; the files, attempt by attempt."""
    tried: list[str] = []
    for turn in range(most):
        office.desk.can_commit()
        if office.desk.closing:
            break
        answer: Any = office.desk.answer(office.seats[turn % 2], 1)
        for task in answer.tasks if answer is not None and answer.tasks else ():
            tried.append(task.file)
            office.report(turn % 2, office.failed(turn % 2, task, final=final, reason=reason(task.file)))
    return tried


def test_where_every_file_fails_alike_the_run_ends_after_a_dozen_with_two_lines(make: MakeOffice) -> None:
    office = make()
    tried = fail_all(office, lambda file: f"ValueError: no {file}", final=False)
    assert len(set(tried)) == FIRST_FILES
    # The shortest file of a queue comes last, before longer ones.
    assert tried[-1] > max(tried[:-1])
    assert office.desk.closing
    first, end = office.warnings
    assert first == "00.fa: attempt 1 on cpu:0 failed, and the file is tried again: ValueError: no 00.fa"
    assert end == (
        f"the run ends early: no file is completed, and the first {FIRST_FILES} fail alike, such as {tried[-1]}: "
        f"ValueError: no {tried[-1]}; to continue it, give the same command with --resume, and with --halt never "
        "to try all files in any case"
    )


def test_files_that_had_failed_for_good_by_then_are_pending_again(make: MakeOffice, tmp_path: Path) -> None:
    office = make()
    in_progress = office.task(1)
    while not office.desk.closing:
        office.desk.can_commit()
        if (tasks := office.tasks(0)) is None:
            break
        office.report(0, office.failed(0, tasks[0], final=True))
    # It was in progress when that was decided.
    office.report(1, office.failed(1, in_progress, final=True))
    totals = office.coordinator.get_totals()
    assert (totals["files_failed"], office.coordinator.unsettled) == (0, FILES)
    office.server.hub.capture.flush()
    reopened = [each.event for each in recorded(tmp_path / "run", FileReopened)]
    assert len({event.file for event in reopened}) == FIRST_FILES + 1
    assert (reopened[-1].file, reopened[-1].device, reopened[-1].completed) == (in_progress.file, "cpu:1", False)


def test_where_the_longest_files_alone_fail_the_run_continues(make: MakeOffice) -> None:
    office = make(retries=0)
    for turn in range(FILES):
        task = office.task(turn % 2)
        is_long = int(task.file[:2]) < FIRST_FILES + 3
        settle = office.failed(turn % 2, task, final=True) if is_long else office.completed(turn % 2, task, 60.0)
        office.report(turn % 2, settle)
        office.desk.can_commit()
    assert not office.desk.closing
    totals = office.coordinator.get_totals()
    assert (totals["files_failed"], totals["files_completed"]) == (FIRST_FILES + 3, FILES - FIRST_FILES - 3)


@pytest.mark.parametrize("options", [{"done_before": 1}, {"halt": parse_halt("never")}], ids=["resumed", "never"])
def test_every_file_is_tried_where_one_is_done_or_the_user_demands_it(
    make: MakeOffice, options: dict[str, Any]
) -> None:
    office = make(**options)
    assert set(fail_all(office, lambda _: "bug", final=True)) == {f"{number:02}.fa" for number in range(FILES)}
    assert office.coordinator.get_totals()["files_failed"] == FILES


def test_a_run_that_is_to_halt_soon_lets_the_files_in_progress_finish(make: MakeOffice) -> None:
    office = make(halt=parse_halt("soon,fail=2"))
    held = office.task(1)
    for _ in range(2):
        office.desk.can_commit()
        office.report(0, office.failed(0, office.task(0), final=True))
    office.desk.can_commit()
    assert (office.desk.closing, office.desk.ends_at_once, office.desk.halted) == (
        *(True, False),
        parse_halt("soon,fail=2"),
    )
    assert office.warnings == [
        f"the run ends early: 2 of {FILES} files have failed (--halt soon,fail=2); to continue it, give the same "
        "command with --resume"
    ]
    assert office.tasks(0) is None
    assert office.report(1, office.completed(1, held)) == [True]
    assert office.coordinator.get_totals()["files_completed"] == 1


def test_what_fails_while_a_run_halts_does_not_end_it_for_another_reason(make: MakeOffice) -> None:
    office = make(halt=parse_halt(f"soon,fail={FIRST_FILES}"))
    for _ in range(FIRST_FILES - 1):
        office.report(0, office.failed(0, office.task(0), final=True))
    shortest = office.task(1)
    office.report(0, office.failed(0, office.task(0), final=True, reason="another"))
    office.desk.can_commit()
    office.report(1, office.failed(1, shortest, final=True))
    assert office.desk.halted is not None
    assert office.coordinator.get_totals()["files_failed"] == FIRST_FILES + 1


def test_a_failed_file_counts_once_after_its_last_attempt(make: MakeOffice) -> None:
    office = make(halt=parse_halt("now,fail=1"))
    task = office.task(0)
    office.report(0, office.failed(0, task, final=False))
    office.desk.can_commit()
    assert not office.desk.closing
    again = office.task(1)
    assert again.file == task.file
    office.report(1, office.failed(1, again, final=True))
    office.desk.can_commit()
    assert (office.desk.closing, office.desk.ends_at_once) == (True, True)


def test_completed_and_lost_files_count_as_well(make: MakeOffice) -> None:
    office = make(halt=parse_halt("soon,done=2"), retries=0)
    office.report(0, office.completed(0, office.task(0), 60.0))
    office.task(1)
    office.desk.can_commit()
    assert not office.desk.closing
    office.desk.lose(office.seats[1], "timed out after 5 s", Loss.TIMED_OUT, office.seats[1].output)
    office.desk.can_commit()
    assert office.desk.closing


def test_a_condition_that_the_last_file_meets_ends_nothing_early(make: MakeOffice) -> None:
    office = make(halt=parse_halt("now,success=100%"))
    for turn in range(FILES):
        office.report(turn % 2, office.completed(turn % 2, office.task(turn % 2), 60.0))
        office.desk.can_commit()
    assert (office.desk.halted, office.warnings) == (None, [])


def test_of_attempts_that_time_out_one_gets_a_line(make: MakeOffice) -> None:
    office = make()
    for _ in range(3):
        office.task(0)
        office.desk.lose(office.seats[0], "timed out after 5 s", Loss.TIMED_OUT, office.seats[0].output)
    assert office.warnings == ["worker-0 (cpu:0) timed out after 5 s while it worked on 00.fa"]
