"""What the deaths of workers mean for their seat."""

from __future__ import annotations

import pytest

from virnucpro_bus.clock import NANOSECONDS
from workers.desk.seat import DeathRecord

DIES, IS_KILLED, IS_ENDED = "dies", "is killed", "is ended"
LOADED = "loads, and "


def verdicts(ends: list[str]) -> list[bool]:
    """Have a worker after another end in these ways, some of them once they have loaded; return the verdicts."""
    record = DeathRecord()
    said = []
    for end in ends:
        if end.startswith(LOADED):
            record.note_loaded()
        how = end.removeprefix(LOADED)
        said.append(record.note_end(died=how != IS_ENDED, was_killed=how == IS_KILLED))
    return said


@pytest.mark.parametrize(
    "ends",
    [
        [DIES] * 3,
        [IS_KILLED] * 6,
        [IS_KILLED, DIES, IS_KILLED, DIES, DIES],
        [DIES, IS_KILLED, IS_KILLED, DIES, IS_KILLED, IS_KILLED],
        [LOADED + DIES, *[DIES] * 3],
        [LOADED + IS_ENDED, *[DIES] * 3],
        [DIES, DIES, IS_ENDED, DIES],
    ],
    ids="-".join,
)
def test_the_last_of_these_workers_shows_that_none_will_load_on_the_device(ends: list[str]) -> None:
    assert verdicts(ends) == [False] * (len(ends) - 1) + [True]


@pytest.mark.parametrize(
    "ends", [[LOADED + DIES] * 9, [DIES, DIES, LOADED + IS_KILLED] * 3, [IS_KILLED] * 5], ids="-".join
)
def test_a_device_on_which_a_worker_has_loaded_since_is_kept(ends: list[str]) -> None:
    assert not any(verdicts(ends))


def test_the_first_death_costs_no_delay_and_the_next_ones_twice_as_much_each_up_to_five_seconds() -> None:
    record = DeathRecord()
    delays = []
    for _ in range(9):
        record.note_loaded()
        record.note_end(died=True)
        delays.append(record.delay_ns() / NANOSECONDS)
    assert delays == [0, 0.25, 0.5, 1, 2, 4, 5, 5, 5]
    record.clear()
    assert record.delay_ns() == 0
