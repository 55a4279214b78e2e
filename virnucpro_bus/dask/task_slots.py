"""Which tasks a worker executes, and which of its slots each of them occupies. Pure.

A device works on one file at a time, and a Dask worker on as many tasks as it has threads: so each of its slots is
a device. A task is executed until its function has ended, even if it secedes, or is cancelled meanwhile: Dask
cannot stop it. So what counts are the transitions that report the end of a function, not the states between.
"""

from __future__ import annotations

from collections.abc import Hashable
from enum import Enum

SECEDED_SLOTS = 16
"""Slots besides those of the threads, for tasks that have left their thread to others (`secede`)."""


class Outcome(Enum):
    """How the execution of a task has ended."""

    COMPLETED = "completed"
    FAILED = "failed"
    DISCARDED = "its result was no longer wanted"
    RESCHEDULED = "asked to be rescheduled"


def outcome_of(start: str, finish: str) -> Outcome | None:
    """Return how a transition of an executing task between two states ends it; None: it goes on."""
    if finish not in ("memory", "error", "rescheduled"):
        return None
    if start == "cancelled" or (start == "resumed" and finish == "error"):
        return Outcome.DISCARDED
    return {"memory": Outcome.COMPLETED, "error": Outcome.FAILED}.get(finish, Outcome.RESCHEDULED)


class TaskSlots:
    """The slots of one worker. Not thread-safe."""

    def __init__(self, threads: int) -> None:
        self._free = list(range(threads + SECEDED_SLOTS))
        self._slots: dict[Hashable, int] = {}

    def start(self, task: Hashable) -> int | None:
        """Return the lowest free slot, which the task now occupies; None: none is free, or it has one already."""
        if task in self._slots or not self._free:
            return None
        slot = self._slots[task] = min(self._free)
        self._free.remove(slot)
        return slot

    def slot_of(self, task: Hashable) -> int | None:
        """Return the slot that the task occupies; None: none."""
        return self._slots.get(task)

    def end(self, task: Hashable) -> int | None:
        """Free the slot of a task, and return it; None: it has none, as a task that began before we watched."""
        slot = self._slots.pop(task, None)
        if slot is not None:
            self._free.append(slot)
        return slot
