"""The plan of earlier sessions: what was put in comes out, and it takes little memory."""

from __future__ import annotations

import tracemalloc

from virnucpro_bus.events.run_events import PlannedFile
from virnucpro_bus.events.vocabulary import Origin
from workers.resume.past_plan import PastPlan

MANY = 1_000
FILE_BYTES = 400


def planned(number: int, cost: int = 1) -> PlannedFile:
    """A file with digests as long as real ones."""
    digests = [f"{number:0>8}{part:0>24}" for part in range(5)]
    return PlannedFile(f"f{number:07}.fa", 1000 + number, cost, digests[0], Origin(*digests[1:]), own_folder=False)


def test_the_last_plan_of_a_file_counts_and_keeps_its_place() -> None:
    plan = PastPlan()
    for file in (planned(1), planned(2), planned(1, cost=5)):
        plan[file.file] = file
    assert list(plan.items()) == [("f0000001.fa", planned(1, cost=5)), ("f0000002.fa", planned(2))]


def test_files_that_come_first_are_as_planned_or_unknown() -> None:
    plan = PastPlan()
    for file in (planned(1), planned(2)):
        plan[file.file] = file
    assert list(plan.with_first(["x.fa", "f0000002.fa"]).items()) == [
        ("x.fa", PlannedFile("x.fa", 0, 0)),
        ("f0000002.fa", planned(2)),
        ("f0000001.fa", planned(1)),
    ]


def test_a_planned_file_takes_little_memory() -> None:
    tracemalloc.start()
    try:
        plan = PastPlan()
        for number in range(MANY):
            plan[f"f{number:07}.fa"] = planned(number)
        size_bytes, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(plan) == MANY
    assert size_bytes / MANY < FILE_BYTES
