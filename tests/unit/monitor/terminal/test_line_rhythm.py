"""When the state of a run is printed as a plain line."""

from __future__ import annotations

from dataclasses import replace

from monitor.terminal.line_rhythm import LineRhythm
from tests.support.pictures import FINISHED, snapshot
from virnucpro_bus.clock import NANOSECONDS

RUNNING = snapshot()


def test_a_line_is_printed_at_the_start_and_once_in_each_interval() -> None:
    rhythm, printed = LineRhythm(30), []
    for second in range(0, 100, 2):
        if rhythm.is_due(RUNNING, second * NANOSECONDS):
            rhythm.note_printed(RUNNING, second * NANOSECONDS)
            printed.append(second)
    assert printed == [0, 30, 60, 90]


def test_a_notice_is_printed_at_once() -> None:
    rhythm = LineRhythm(30)
    rhythm.note_printed(RUNNING, 0)
    assert not rhythm.is_due(RUNNING, 1)
    assert rhythm.is_due(replace(RUNNING, news=("a worker was lost",)), 1)


def test_a_line_that_could_not_be_printed_stays_due() -> None:
    rhythm = LineRhythm(30)
    assert rhythm.is_due(RUNNING, 0)
    assert rhythm.is_due(RUNNING, 1)


def test_the_end_of_a_run_is_printed_once() -> None:
    rhythm = LineRhythm(30)
    rhythm.note_printed(RUNNING, 0)
    assert rhythm.is_last_due(FINISHED)
    rhythm.note_printed(FINISHED, 0)
    assert not rhythm.is_last_due(FINISHED)
    assert rhythm.is_last_due(replace(FINISHED, news=("done",)))


def test_where_the_monitor_leaves_a_run_that_continues_its_last_state_is_printed() -> None:
    rhythm = LineRhythm(30)
    rhythm.note_printed(RUNNING, 0)
    assert rhythm.is_last_due(RUNNING)
