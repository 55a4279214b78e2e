"""The times of another machine on our clock."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virnucpro_bus.clock import NANOSECONDS
from workers.dask.machine_clock import WINDOW_NS, MachineClock

MS = NANOSECONDS // 1000
delays = st.integers(0, 200 * MS)
pauses = st.integers(1, 10 * NANOSECONDS)


@given(apart=st.integers(-(10**15), 10**15), way=st.lists(st.tuples(pauses, delays), min_size=1, max_size=40))
def test_a_moved_time_is_never_later_than_its_arrival_nor_earlier_than_it_was(
    apart: int, way: list[tuple[int, int]]
) -> None:
    clock, now_ns = MachineClock(), 10**16
    for pause_ns, delay_ns in way:
        now_ns += pause_ns
        moved = clock.moved(now_ns + apart, now_ns + delay_ns)
        assert now_ns <= moved <= now_ns + delay_ns


@given(apart=st.integers(-(10**15), 10**15), way=st.lists(st.tuples(pauses, delays), min_size=1, max_size=40))
def test_the_quickest_message_of_the_last_minute_bounds_the_error_of_all(
    apart: int, way: list[tuple[int, int]]
) -> None:
    clock, now_ns, seen = MachineClock(), 10**16, []
    for pause_ns, delay_ns in way:
        now_ns += pause_ns
        seen.append((now_ns + delay_ns, delay_ns))
        moved = clock.moved(now_ns + apart, now_ns + delay_ns)
        recent = [delay for arrived_ns, delay in seen if arrived_ns > now_ns + delay_ns - WINDOW_NS]
        assert moved - now_ns <= min(recent)


def test_the_quickest_message_counts_for_a_whole_minute_whenever_its_window_ends() -> None:
    clock = MachineClock()
    clock.moved(0, 100 * MS)
    clock.moved(59 * NANOSECONDS, 59 * NANOSECONDS + 3 * MS)
    at_ns = 118 * NANOSECONDS
    assert clock.moved(at_ns, at_ns + 100 * MS) == at_ns + 3 * MS


@pytest.mark.parametrize("gain", [3600, -3600])
def test_clocks_that_drift_apart_are_followed_within_two_minutes(gain: int) -> None:
    clock = MachineClock()
    # Their clock gains a second in an hour on ours, or loses one.
    errors = [
        clock.moved(now_ns + now_ns // gain, now_ns) - now_ns
        for now_ns in range(0, 3600 * NANOSECONDS, NANOSECONDS)
    ]
    assert max(map(abs, errors)) <= 2 * 60 * NANOSECONDS / 3600
    assert all(abs(before - after) < 50 * MS for before, after in pairwise(errors))
