"""What a signal, or several, make of a run. Without processes and real time."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from typing import cast

import pytest

from virnucpro_bus.clock import ManualClock
from virnucpro_bus.system.signals import ENDING_SIGNALS, SignalFlag
from workers.launch.interruption import REPEAT_SECONDS, Interruption
from workers.pool.pool import WorkerPool

GRACE_SECONDS = 10.0
WITH_GRACE = sorted(set(ENDING_SIGNALS) - {signal.SIGINT})


class Pool:
    """Notes what is asked of it."""

    drained = killed = False

    def drain(self) -> None:
        self.drained = True

    def kill(self) -> None:
        self.killed = True


class Run:
    def __init__(self, signals: SignalFlag) -> None:
        self.clock = ManualClock()
        self.notices: list[str] = []
        self.pool = Pool()
        self.interruption = Interruption(signals, GRACE_SECONDS, self.clock, self.notices.append)

    def receive(self, *numbers: signal.Signals) -> None:
        for number in numbers:
            signal.raise_signal(number)
        self.interruption.poll(cast(WorkerPool, self.pool))

    def pass_seconds(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.interruption.poll(cast(WorkerPool, self.pool))


@pytest.fixture
def run() -> Iterator[Run]:
    with SignalFlag(*ENDING_SIGNALS) as signals:
        yield Run(signals)


def test_without_a_signal_nothing_is_ended(run: Run) -> None:
    run.pass_seconds(1e6)
    assert (run.pool.drained, run.pool.killed, run.notices) == (False, False, [])


def test_after_ctrl_c_the_files_in_progress_have_all_the_time(run: Run) -> None:
    run.receive(signal.SIGINT)
    run.pass_seconds(1e6)
    assert (run.pool.drained, run.pool.killed, run.interruption.is_hurried) == (True, False, False)


@pytest.mark.parametrize("number", WITH_GRACE)
def test_after_any_other_signal_they_have_the_grace_period(run: Run, number: signal.Signals) -> None:
    run.receive(number)
    run.pass_seconds(GRACE_SECONDS - 0.1)
    assert (run.pool.drained, run.pool.killed) == (True, False)
    run.pass_seconds(0.1)
    assert run.pool.killed
    assert run.notices == [f"{number.name}: finishing the files in progress, for 10 s at most"]


@pytest.mark.parametrize("first", [*ENDING_SIGNALS])
@pytest.mark.parametrize("seconds", [0.0, 5.0])
def test_ctrl_c_after_another_signal_ends_the_run_at_once(run: Run, first: signal.Signals, seconds: float) -> None:
    run.receive(first)
    run.pass_seconds(seconds)
    run.receive(signal.SIGINT)
    assert (run.pool.killed, run.interruption.is_hurried) == (True, True)


@pytest.mark.parametrize("number", WITH_GRACE)
def test_a_signal_that_is_sent_twice_at_once_is_one_request(run: Run, number: signal.Signals) -> None:
    run.receive(number, number)
    run.pass_seconds(REPEAT_SECONDS / 2)
    run.receive(number)
    run.pass_seconds(GRACE_SECONDS - 1)
    assert (run.pool.killed, run.interruption.is_hurried, len(run.notices)) == (False, False, 1)
    run.pass_seconds(1)
    assert run.pool.killed


@pytest.mark.parametrize("number", sorted({*WITH_GRACE} - {signal.SIGHUP}))
def test_a_signal_that_is_repeated_later_ends_the_run_at_once(run: Run, number: signal.Signals) -> None:
    run.receive(number)
    run.pass_seconds(REPEAT_SECONDS)
    run.receive(number)
    assert (run.pool.killed, run.interruption.is_hurried) == (True, True)


def test_a_second_hang_up_changes_nothing(run: Run) -> None:
    run.receive(signal.SIGHUP)
    run.pass_seconds(REPEAT_SECONDS)
    run.receive(signal.SIGHUP)
    assert (run.pool.killed, run.interruption.is_hurried) == (False, False)


def test_sigterm_after_ctrl_c_limits_the_time(run: Run) -> None:
    run.receive(signal.SIGINT)
    run.receive(signal.SIGTERM)
    run.pass_seconds(GRACE_SECONDS)
    assert run.pool.killed


def test_a_time_limit_is_shorter_for_a_run_that_is_to_end_at_once(run: Run) -> None:
    is_over = run.interruption.limit(10, 2)
    run.clock.advance(9)
    assert not is_over()
    run.receive(signal.SIGINT)
    assert not is_over()
    run.receive(signal.SIGINT)
    verdicts = [is_over()]
    run.clock.advance(2)
    assert [*verdicts, is_over()] == [False, True]


def test_a_time_limit_of_a_run_that_was_hurried_before_begins_now(run: Run) -> None:
    run.receive(signal.SIGINT, signal.SIGINT)
    run.clock.advance(60)
    is_over = run.interruption.limit(10, 2)
    verdicts = []
    for _ in range(3):
        verdicts.append(is_over())
        run.clock.advance(1)
    assert verdicts == [False, False, True]


def test_a_run_that_is_not_hurried_has_the_whole_time_limit(run: Run) -> None:
    is_over = run.interruption.limit(10, 2)
    run.receive(signal.SIGTERM)
    run.clock.advance(9.5)
    assert not is_over()
    run.clock.advance(0.5)
    assert is_over()


def test_a_signal_after_the_last_file_hurries_what_remains(run: Run) -> None:
    run.receive(signal.SIGTERM)
    signal.raise_signal(signal.SIGINT)
    assert run.interruption.is_hurried
