"""One axis of time for a host that restarts, and whose wall clock is set."""

from __future__ import annotations

from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virnucpro_bus import events as ev
from virnucpro_bus.clock import NANOSECONDS
from virnucpro_bus.events.envelope import Envelope
from virnucpro_bus.events.host_time import MAX_BOOT_TIMES, HostTime, moved, when
from virnucpro_bus.events.vocabulary import MAX_COUNT

WALL = 1_700_000_000
DAY = 86_400


def event(wall: float, mono: float, source: str = "w", epoch: int = 1) -> Envelope:
    """An event at these times, in seconds."""
    times = {"wall_ns": round(wall * NANOSECONDS), "mono_ns": round(mono * NANOSECONDS)}
    return ev.make_envelope(ev.Notice("x"), run="r", host="h", source=source, epoch=epoch, seq=1, **times)


def placed(time: HostTime, first: Envelope, newest: float = 0.0) -> float:
    """What is added to the times of the stream that begins with `first`, in seconds."""
    return time.place(first, round(newest * NANOSECONDS)) / NANOSECONDS


def test_without_a_restart_the_axis_is_the_monotonic_clock() -> None:
    time = HostTime()
    assert [placed(time, event(WALL + at, 500 + at), 500 + at) for at in (0, 7, DAY)] == [0, 0, 0]


def test_a_restart_takes_as_long_as_the_wall_clock_says() -> None:
    time = HostTime()
    placed(time, event(WALL, 100_000))
    assert placed(time, event(WALL + 3600, 50), 100_600) == 100_000 + 3600 - 50


def test_two_restarts_follow_each_other() -> None:
    time = HostTime()
    placed(time, event(WALL, 100))
    first = placed(time, event(WALL + DAY, 20), 200) + 20
    second = placed(time, event(WALL + 2 * DAY, 30), first + 100) + 30
    assert (first, second) == (100 + DAY, 100 + 2 * DAY)


def test_a_machine_whose_clock_is_wrong_after_a_restart_goes_on_behind_what_was_done() -> None:
    time = HostTime()
    placed(time, event(WALL, 1_000))
    assert placed(time, event(WALL - DAY, 50), 1_600) + 50 == 1_600


def test_a_machine_may_have_been_up_for_longer_than_before_it_restarted() -> None:
    time = HostTime()
    placed(time, event(WALL, 100))
    assert placed(time, event(WALL + DAY, 5_000), 200) + 5_000 == 100 + DAY


@pytest.mark.parametrize("step", [-DAY, -600, 600])
def test_a_wall_clock_that_is_set_is_no_restart(step: int) -> None:
    time = HostTime()
    placed(time, event(WALL, 1_000))
    assert placed(time, event(WALL + 10 + step, 1_010), 1_009) == 0


@pytest.mark.parametrize("step", [-DAY, DAY])
def test_nor_is_one_that_was_observed_to_be_set_by_more_than_the_machine_is_up(step: int) -> None:
    time = HostTime()
    placed(time, event(WALL, 1_000))
    time.observe((WALL + 10 + step) * NANOSECONDS, 1_010 * NANOSECONDS, 0)
    assert placed(time, event(WALL + 100 + step, 1_100), 1_010) == 0


def test_an_event_of_before_a_restart_that_comes_late_is_placed_before_it() -> None:
    time = HostTime()
    placed(time, event(WALL, 1_000))
    base = placed(time, event(WALL + DAY, 50), 1_600)
    assert placed(time, event(WALL + 5, 1_005, "other"), base + 50) == 0
    assert time.base_ns == base * NANOSECONDS


def test_a_wall_clock_that_is_set_all_the_time_does_not_fill_the_memory() -> None:
    time = HostTime()
    for day in range(1_000):
        time.observe((WALL + day * DAY) * NANOSECONDS, 5 * NANOSECONDS, 0)
    assert len(time.boots) == MAX_BOOT_TIMES


def test_what_is_moved_beyond_all_numbers_stops_at_the_last() -> None:
    assert moved(event(WALL, 5), MAX_COUNT).mono_ns == MAX_COUNT
    assert moved(event(WALL, 5), 0).mono_ns == 5 * NANOSECONDS


def test_a_decision_is_as_long_ago_as_the_wall_clock_says_but_not_in_the_future() -> None:
    reported = event(WALL, 1_000)
    assert when((WALL - 3) * NANOSECONDS, reported) == 997 * NANOSECONDS
    assert when((WALL + 600) * NANOSECONDS, reported) == 1_000 * NANOSECONDS


class Boot(NamedTuple):
    """One boot of a machine, in seconds."""

    uptime: int
    streams: list[int]
    """How long after the one before each stream begins."""
    down: int


pauses = st.lists(st.integers(0, 1_000), min_size=1, max_size=4)
boots = st.builds(Boot, st.integers(0, 5_000), pauses, st.integers(30, DAY))


@given(st.lists(boots, min_size=1, max_size=5))
def test_with_a_right_wall_clock_the_axis_is_as_long_as_what_has_passed(history: list[Boot]) -> None:
    time, wall, newest = HostTime(), WALL, 0.0
    zero: float | None = None
    for epoch, boot in enumerate(history, 1):
        mono = boot.uptime
        wall += boot.down + boot.uptime
        for number, pause in enumerate(boot.streams):
            wall, mono = wall + pause, mono + pause
            at = placed(time, event(wall, mono, f"w{number}", epoch), newest) + mono
            zero = wall - at if zero is None else zero
            assert at == wall - zero
            newest = at
