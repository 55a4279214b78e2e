"""When files that are shared out are done."""

from __future__ import annotations

import heapq
import math
from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virnucpro_bus.effect.handing_out import end_at_rates, shared_end

workers = st.lists(st.tuples(st.floats(0, 100), st.floats(0.1, 20)), min_size=1, max_size=6)


def test_what_can_be_cut_anywhere_ends_for_all_at_once() -> None:
    assert shared_end(10, [(0.0, 1.0), (0.0, 1.0), (2.0, 0.5)], 0.0) == pytest.approx((10 + 4) / 4)


def test_a_worker_that_comes_later_than_the_end_does_nothing() -> None:
    assert shared_end(4, [(0.0, 1.0), (50.0, 1.0)], 1.0) == pytest.approx(4.0)


def test_whole_files_end_with_the_last_one() -> None:
    assert shared_end(3, [(0.0, 1.0), (0.0, 1.0)], 1.0) == pytest.approx(2.0)


def test_a_greedy_worker_takes_one_that_another_would_have_ended_sooner() -> None:
    assert shared_end(3, [(0.0, 1.0), (0.0, 9.0)], 1.0) == pytest.approx(3.0)
    assert shared_end(3, [(0.0, 1.0), (0.0, 9.0)], 1.0, is_greedy=True) == pytest.approx(9.0)


@given(workers, st.floats(0.1, 40), st.sampled_from([0.25, 0.5, 1.0, 2.7]))
def test_parts_are_done_when_so_many_have_ended_if_nobody_waits(
    given_workers: list[tuple[float, float]], files: float, grain: float
) -> None:
    parts = math.ceil(files / grain)
    ends = sorted(free + at * grain * seconds for free, seconds in given_workers for at in range(1, parts + 1))
    assert shared_end(files, given_workers, grain) == pytest.approx(ends[parts - 1])


def test_a_billion_files_are_not_handed_out_one_by_one() -> None:
    assert shared_end(1e9, [(0.0, 1.0), (3.0, 1.0), (0.0, 2.0)], 1.0) == pytest.approx(4e8 + 1, abs=2)
    assert shared_end(1e9, [(1e9, 1e-30)], 1.0, is_greedy=True) == pytest.approx(1e9)


@given(workers, st.integers(1, 40))
def test_greedy_workers_end_when_those_do_who_take_one_after_the_other(
    given_workers: list[tuple[float, float]], files: int
) -> None:
    free = [(at, number) for number, (at, _) in enumerate(given_workers)]
    heapq.heapify(free)
    ends = []
    for _ in range(files):
        at, number = heapq.heappop(free)
        ends.append(at + given_workers[number][1])
        heapq.heappush(free, (ends[-1], number))
    # Of two who are free at once, rounding decides who takes the last file.
    latest = max(
        [*ends, *(free_at + given_workers[number][1] for free_at, number in free if free_at <= at + 1e-6)]
    )
    end = shared_end(files, given_workers, 1.0, is_greedy=True)
    assert max(ends) * (1 - 1e-9) <= end <= latest * (1 + 1e-9)


@given(workers, st.integers(1, 40))
def test_the_finer_the_files_the_sooner_the_end(given_workers: list[tuple[float, float]], files: int) -> None:
    ends = [shared_end(files, given_workers, grain) for grain in (0.0, 0.25, 1.0)]
    greedy = shared_end(files, given_workers, 1.0, is_greedy=True)
    assert ends[0] <= ends[1] + 1e-6 <= ends[2] + 2e-6
    assert ends[2] <= greedy + 1e-6


@given(st.lists(st.tuples(st.integers(0, 50), st.floats(0.1, 1e3), st.floats(0.1, 10)), min_size=1))
def test_common_work_is_done_when_all_have_done_it_at_the_speeds_of_their_time(
    given_workers: list[tuple[int, float, float]],
) -> None:
    """Each comes at a time, and has another speed five seconds later."""
    changes = defaultdict[float, list[float]](list)
    for at, fast, slow in given_workers:
        changes[at].append(fast)
        changes[at + 5.0] += (slow, -fast)

    def done(until: float) -> float:
        parts = [min(5.0, max(0.0, until - at)) * fast for at, fast, _ in given_workers]
        return math.fsum(parts) + math.fsum(max(0.0, until - at - 5) * slow for at, _, slow in given_workers)

    for end in (0.5, 20.0, 70.0):
        if work := done(end):
            assert end_at_rates(work, changes) == pytest.approx(end)
            assert end_at_rates(work * 1.01, changes) > end


def test_a_speed_beyond_all_others_leaves_no_error_behind_once_it_has_changed() -> None:
    assert end_at_rates(6e30, {0.0: [1e30, 0.5], 5.0: [0.5, -1e30]}) == pytest.approx(5 + 1e30)
