"""How many files a device gets ahead: only short ones, and few of many."""

from __future__ import annotations

import pytest

from workers.schedule.ahead import MOST_AHEAD, LeasesAhead

MANY = 10_000
FAST, SLOW = 0, 1


def after(*seconds: float) -> LeasesAhead:
    """What is known once one device of two has completed files that took so long."""
    ahead = LeasesAhead(2)
    for each in seconds:
        ahead.add_measurement(FAST, each)
    return ahead


def test_a_device_gets_nothing_ahead_before_it_has_completed_a_file() -> None:
    assert after(0.001).most_ahead(SLOW, MANY) == 0


@pytest.mark.parametrize(
    ("seconds", "most"),
    [(0.0, MOST_AHEAD), (0.001, MOST_AHEAD), (0.02, 5), (0.08, 1), (0.9, 1), (1.0, 0), (9.0, 0)],
)
def test_the_shorter_the_files_the_more_of_them_are_ahead(seconds: float, most: int) -> None:
    assert after(seconds).most_ahead(FAST, MANY) == most


@pytest.mark.parametrize(("pending", "most"), [(0, 0), (3, 0), (4, 1), (8, 2), (100, 25), (MANY, MOST_AHEAD)])
def test_what_is_ahead_is_at_most_a_quarter_of_the_rest(pending: int, most: int) -> None:
    assert after(0.001).most_ahead(FAST, pending) == most


def test_a_slow_device_gets_nothing_ahead_where_the_others_will_soon_have_done_the_rest() -> None:
    ahead = after(0.05)
    ahead.add_measurement(SLOW, 0.5)
    # The two complete 22 files a second.
    assert (ahead.most_ahead(FAST, 20), ahead.most_ahead(SLOW, 20)) == (2, 0)
    assert ahead.most_ahead(SLOW, 50) == 1
    ahead.remove_device(FAST)
    assert ahead.most_ahead(SLOW, 20) == 1


def test_one_long_file_ends_it_and_short_ones_begin_it_again() -> None:
    assert after(0.001, 60.0).most_ahead(FAST, MANY) == 0
    assert after(0.001, 60.0, *[0.001] * 30).most_ahead(FAST, MANY) > 1


def test_a_device_that_joins_has_completed_nothing() -> None:
    ahead = after(0.001)
    ahead.add_device()
    assert ahead.most_ahead(2, MANY) == 0
