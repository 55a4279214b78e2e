"""How many files a device gets ahead: only short ones, and few of many."""

from __future__ import annotations

import pytest

from workers.schedule.ahead import MOST_AHEAD, LeasesAhead


def after(*seconds: float) -> LeasesAhead:
    """What is known of device 1 after it has completed files that took so long."""
    ahead = LeasesAhead(2)
    for each in seconds:
        ahead.add_measurement(1, each)
    return ahead


def test_a_device_gets_nothing_ahead_before_it_has_completed_a_file() -> None:
    assert after(0.001).more_ahead(0, pending=1000, ahead=0) == 0


@pytest.mark.parametrize(
    ("seconds", "more"),
    [(0.0, MOST_AHEAD), (0.001, MOST_AHEAD), (0.02, 5), (0.06, 1), (0.9, 1), (1.0, 0), (60.0, 0)],
)
def test_the_shorter_the_files_the_more_of_them_are_ahead(seconds: float, more: int) -> None:
    assert after(seconds).more_ahead(1, pending=1000, ahead=0) == more


@pytest.mark.parametrize(("pending", "more"), [(0, 0), (2, 0), (3, 1), (5, 1), (6, 2), (1000, MOST_AHEAD)])
def test_most_of_a_devices_files_stay_where_others_can_steal_them(pending: int, more: int) -> None:
    assert after(0.001).more_ahead(1, pending, ahead=0) == more


def test_what_a_device_holds_already_counts() -> None:
    assert after(0.02).more_ahead(1, pending=1000, ahead=3) == 2
    assert after(0.02).more_ahead(1, pending=1000, ahead=30) == 0


def test_one_long_file_ends_it_and_short_ones_begin_it_again() -> None:
    assert after(0.001, 60.0).more_ahead(1, pending=1000, ahead=0) == 0
    assert after(0.001, 60.0, *[0.001] * 30).more_ahead(1, pending=1000, ahead=0) > 1


def test_a_device_that_joins_has_completed_nothing() -> None:
    ahead = after(0.001)
    ahead.add_device()
    assert ahead.more_ahead(2, pending=1000, ahead=0) == 0
