"""Which workers are ended: those that are silent or slow, and no others. Without processes and real time."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.support.plans import input_files
from virnucpro_bus.clock import AttendedClock, ManualClock
from virnucpro_bus.events.vocabulary import Device
from workers.coordinator.assignment import Assignment
from workers.desk.limits import Limits
from workers.desk.seat import HeldFile, Seat
from workers.desk.watchdog import LOADING_FACTOR, Watchdog
from workers.schedule.blame import Loss

TURN_SECONDS = 0.5
Ended = tuple[float, Loss, str]


class Watched:
    """One worker under the watchdog."""

    def __init__(self, **limits: float) -> None:
        self.clock = ManualClock()
        self.received: Counter[tuple[str, int]] = Counter()
        self.seat = Seat(0, Device("cpu:0"), epoch=1)
        self.is_loaded, self.is_waiting = True, False
        attended = AttendedClock(self.clock)
        self.watchdog = Watchdog(Limits(**limits), attended, lambda source, epoch: self.received[source, epoch])

    def begin(self, output: str) -> None:
        """Let the worker begin an attempt."""
        self.seat.held = [HeldFile(Assignment(input_files([1])[0], 1), output)]

    def beat(self) -> None:
        self.received[self.seat.source, self.seat.epoch] += 1

    def pass_seconds(self, seconds: float, *, beating: bool) -> Ended | None:
        """Let time pass; return when and why the worker is to be ended, None if it is not."""
        for turn in range(1, int(seconds / TURN_SECONDS) + 1):
            self.clock.advance(TURN_SECONDS)
            if beating:
                self.beat()
            self.watchdog.poll()
            verdict = self.watchdog.check(self.seat, is_loaded=self.is_loaded, is_waiting=self.is_waiting)
            if verdict is not None:
                return (turn * TURN_SECONDS, *verdict)
        return None


def test_a_worker_that_sends_heartbeats_may_continue_without_limit() -> None:
    assert Watched(hang_seconds=10).pass_seconds(10_000, beating=True) is None


def test_a_worker_is_hung_when_no_event_arrived_for_the_whole_time() -> None:
    watched = Watched(hang_seconds=10)
    assert watched.pass_seconds(100, beating=True) is None
    ended = watched.pass_seconds(20, beating=False)
    assert ended is not None
    assert 10 <= ended[0] <= 11
    assert ended[1:] == (Loss.DIED, "hung: no sign of life for 10 s")


def test_a_worker_that_loads_its_job_may_be_silent_for_longer() -> None:
    watched = Watched(hang_seconds=10)
    watched.is_loaded = False
    ended = watched.pass_seconds(200, beating=False)
    assert ended is not None
    assert LOADING_FACTOR * 10 <= ended[0] <= LOADING_FACTOR * 10 + 2


def test_a_new_process_is_not_blamed_for_the_silence_of_the_one_before() -> None:
    watched = Watched(hang_seconds=10)
    watched.pass_seconds(9, beating=False)
    watched.seat.epoch = 2
    assert watched.pass_seconds(9, beating=False) is None


def test_no_worker_counts_as_silent_while_the_launcher_stood_still() -> None:
    watched = Watched(hang_seconds=10)
    watched.pass_seconds(5, beating=True)
    watched.clock.advance(3600)
    assert watched.pass_seconds(8, beating=False) is None
    assert watched.pass_seconds(8, beating=False) is not None


def test_no_attempt_takes_longer_because_the_launcher_stood_still() -> None:
    watched = Watched(file_seconds=10)
    watched.begin("attempt-1")
    assert watched.pass_seconds(5, beating=True) is None
    watched.clock.advance(3600)
    assert watched.pass_seconds(4, beating=True) is None
    assert watched.pass_seconds(4, beating=True) is not None


def test_by_default_an_attempt_has_no_time_limit() -> None:
    watched = Watched()
    watched.begin("attempt-1")
    assert watched.pass_seconds(100_000, beating=True) is None


@pytest.mark.parametrize("beating", [True, False])
def test_an_attempt_that_takes_too_long_is_ended_with_and_without_heartbeats(beating: bool) -> None:
    watched = Watched(file_seconds=5)
    watched.pass_seconds(100, beating=True)
    watched.begin("attempt-1")
    ended = watched.pass_seconds(20, beating=beating)
    # The attempt is noticed in the first turn.
    assert ended == (5 + TURN_SECONDS, Loss.TIMED_OUT, "timed out after 5 s")


def test_every_attempt_has_the_whole_time() -> None:
    watched = Watched(file_seconds=5)
    for attempt in range(5):
        watched.begin(f"attempt-{attempt}")
        assert watched.pass_seconds(5, beating=True) is None


def test_the_time_counts_from_when_the_worker_works_on_the_file() -> None:
    watched = Watched(file_seconds=5)
    watched.begin("attempt-1")
    watched.is_waiting = True
    assert watched.pass_seconds(100, beating=True) is None
    watched.is_waiting = False
    ended = watched.pass_seconds(20, beating=True)
    assert ended is not None
    assert 5 <= ended[0] <= 5 + TURN_SECONDS
