"""SeqTracker against a plain set of numbers."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from virnucpro_bus.events.sequence import SequenceTracker


def tracker_of(*numbers: int) -> SequenceTracker:
    tracker = SequenceTracker()
    for number in numbers:
        tracker.add(number)
    return tracker


@given(st.lists(st.integers(1, 40), max_size=60))
def test_at_every_step_it_knows_what_a_set_knows(numbers: list[int]) -> None:
    tracker, seen = SequenceTracker(), set[int]()
    for number in numbers:
        assert tracker.add(number) is (number not in seen)
        seen.add(number)
        assert (tracker.published, tracker.received) == (max(seen), len(seen))
        absent = [at for at in range(1, max(seen)) if at not in seen]
        assert [at for first, last in tracker.missing() for at in range(first, last + 1)] == absent


@given(st.lists(st.integers(1, 2**63 - 1)))
def test_published_is_received_plus_lost_and_lost_is_what_is_missing(numbers: list[int]) -> None:
    tracker = tracker_of(*numbers)
    assert tracker.published == tracker.received + tracker.lost
    assert tracker.lost == sum(last - first + 1 for first, last in tracker.missing())


@given(st.permutations(range(1, 30)))
def test_every_order_of_all_numbers_ends_without_a_hole(numbers: list[int]) -> None:
    tracker = tracker_of(*numbers)
    assert (tracker.expected, tracker.missing(), tracker.lost) == (30, [], 0)


@given(st.lists(st.integers(1, 40), max_size=60))
def test_taking_the_next_number_without_a_call_is_the_same_as_adding_it(numbers: list[int]) -> None:
    # The ledger and the hub move `expected` themselves when the number is the next in line.
    added, moved = tracker_of(*numbers), SequenceTracker()
    for number in numbers:
        if number == moved.expected:
            moved.expected = number + 1
        else:
            moved.add(number)
    assert (moved.published, moved.received, moved.missing()) == (added.published, added.received, added.missing())


@given(st.sets(st.integers(1, 40), min_size=1))
def test_gaps_are_returned_whole_and_lowest_first(numbers: set[int]) -> None:
    holes = tracker_of(*numbers).missing()
    assert all(last + 1 < following for (_, last), (following, _) in pairwise(holes))


def test_nothing_seen_is_nothing_published() -> None:
    tracker = SequenceTracker()
    assert (tracker.published, tracker.received, tracker.lost, tracker.missing()) == (0, 0, 0, [])


def test_a_stream_that_is_joined_late_misses_its_beginning() -> None:
    assert tracker_of(1_000_000).missing() == [(1, 999_999)]


def test_the_highest_number_of_the_format_is_taken() -> None:
    tracker = tracker_of(1, 2**63 - 1)
    assert tracker.missing() == [(2, 2**63 - 2)]


@given(st.sets(st.integers(1, 12)), st.sets(st.integers(1, 12)))
def test_one_set_includes_another_if_it_has_each_of_its_numbers(one: set[int], other: set[int]) -> None:
    assert tracker_of(*one).includes(tracker_of(*other)) == (one >= other)
