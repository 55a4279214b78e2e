"""Clocks and how their times are written."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virnucpro_bus.clock import NANOSECONDS, AttendedClock, ManualClock, SystemClock, iso_utc, local_time_of_day


def test_the_system_clock_is_the_machines() -> None:
    clock = SystemClock()
    wall, mono = (time.time_ns(), time.monotonic_ns())
    assert wall <= clock.wall_ns() <= time.time_ns()
    assert mono <= clock.mono_ns() <= time.monotonic_ns()


def test_a_manual_clock_moves_only_when_it_is_advanced() -> None:
    clock = ManualClock(wall=5, mono=7)
    assert (clock.wall_ns(), clock.mono_ns(), clock.wall_ns()) == (5, 7, 5)
    clock.advance(1.5)
    assert (clock.wall_ns(), clock.mono_ns()) == (5 + 3 * NANOSECONDS // 2, 7 + 3 * NANOSECONDS // 2)


@given(steps=st.lists(st.integers(0, 10 * NANOSECONDS)))
def test_an_attended_clock_counts_of_every_step_no_more_than_the_longest(steps: list[int]) -> None:
    clock = ManualClock()
    attended = AttendedClock(clock)
    started_ns = attended.mono_ns()
    for step_ns in steps:
        clock.mono += step_ns
        attended.mono_ns()
    longest_ns = AttendedClock.LONGEST_STEP_NS
    assert attended.mono_ns() - started_ns == sum(min(step_ns, longest_ns) for step_ns in steps)


@pytest.mark.parametrize(
    ("wall_ns", "text"),
    [
        (0, "1970-01-01T00:00:00.000000Z"),
        (1_700_000_000_123_456_789, "2023-11-14T22:13:20.123456Z"),
        (999, "1970-01-01T00:00:00.000000Z"),
        (1_999_999_999, "1970-01-01T00:00:01.999999Z"),
        (253_402_300_799 * NANOSECONDS, "9999-12-31T23:59:59.000000Z"),
    ],
)
def test_times_are_written_in_utc_with_microseconds(wall_ns: int, text: str) -> None:
    assert iso_utc(wall_ns) == text


@pytest.mark.parametrize(("zone", "shown"), [("UTC", "22:13:20"), ("XYZ-3", "01:13:20"), ("XYZ+5:30", "16:43:20")])
def test_the_time_of_day_is_the_viewers(monkeypatch: pytest.MonkeyPatch, zone: str, shown: str) -> None:
    with monkeypatch.context() as context:
        context.setenv("TZ", zone)
        time.tzset()
        assert local_time_of_day(1_700_000_000 * NANOSECONDS) == shown
    time.tzset()
