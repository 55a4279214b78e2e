"""Which slot of a worker each task occupies, and how its execution ends."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virnucpro_bus.dask.task_slots import SECEDED_SLOTS, Outcome, TaskSlots, outcome_of

TASKS = st.integers(0, SECEDED_SLOTS + 8)


@given(st.integers(1, 3), st.lists(st.tuples(st.booleans(), TASKS)))
def test_a_task_has_one_slot_until_it_ends_and_no_other_task_has_it_meanwhile(
    threads: int, steps: list[tuple[bool, int]]
) -> None:
    slots = TaskSlots(threads)
    occupied: dict[int, int] = {}
    for starts, task in steps:
        if starts:
            free = set(range(threads + SECEDED_SLOTS)) - set(occupied.values())
            expected = min(free) if free and task not in occupied else None
            assert slots.start(task) == expected
            if expected is not None:
                occupied[task] = expected
        else:
            assert slots.end(task) == occupied.pop(task, None)
        assert slots.slot_of(task) == occupied.get(task)


@pytest.mark.parametrize(
    ("start", "finish", "outcome"),
    [
        ("executing", "memory", Outcome.COMPLETED),
        ("long-running", "memory", Outcome.COMPLETED),
        ("resumed", "memory", Outcome.COMPLETED),
        ("executing", "error", Outcome.FAILED),
        ("long-running", "error", Outcome.FAILED),
        ("executing", "rescheduled", Outcome.RESCHEDULED),
        ("cancelled", "memory", Outcome.DISCARDED),
        ("cancelled", "error", Outcome.DISCARDED),
        ("cancelled", "rescheduled", Outcome.DISCARDED),
        ("resumed", "error", Outcome.DISCARDED),
        # Its function goes on: Dask has only been asked to forget it, or has released its thread.
        ("executing", "released", None),
        ("executing", "long-running", None),
        ("cancelled", "waiting", None),
        ("cancelled", "fetch", None),
        ("resumed", "released", None),
    ],
)
def test_an_execution_ends_when_its_function_has_ended_whatever_became_of_the_task_meanwhile(
    start: str, finish: str, outcome: Outcome | None
) -> None:
    assert outcome_of(start, finish) is outcome
