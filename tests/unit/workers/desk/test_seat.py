"""What the deaths of workers mean for their seat."""

from __future__ import annotations

import pytest

from virnucpro_bus.clock import NANOSECONDS
from workers.desk.seat import DeathRecord


@pytest.mark.parametrize(
    ("with_file", "is_retired"),
    [
        ([False, False], False),
        ([False, False, False], True),
        ([True] * 9, False),
        ([True, False, True, False], False),
        ([False, True, False, False], True),
    ],
)
def test_three_deaths_without_a_file_retire_the_device(with_file: list[bool], is_retired: bool) -> None:
    record = DeathRecord()
    verdicts = [record.note(with_file=each) for each in with_file]
    assert verdicts == [False] * (len(with_file) - 1) + [is_retired]


def test_a_settled_file_clears_the_record() -> None:
    record = DeathRecord()
    for _ in range(2):
        record.note(with_file=False)
    record.clear()
    assert record == DeathRecord()
    assert not record.note(with_file=False)


def test_the_first_death_costs_no_delay_and_the_next_ones_twice_as_much_each_up_to_five_seconds() -> None:
    record = DeathRecord()
    delays = []
    for _ in range(9):
        record.note(with_file=True)
        delays.append(record.delay_ns() / NANOSECONDS)
    assert delays == [0, 0.25, 0.5, 1, 2, 4, 5, 5, 5]
