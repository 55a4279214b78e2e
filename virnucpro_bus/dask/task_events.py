"""The events of one Dask worker: its tasks as files, one device and one publisher for each slot.

| event | of a task |
|---|---|
| `file.started` | its function is about to be called |
| `file.completed` | it has returned; `sequences` is what the task has reported by `progress`, else 0 |
| `file.failed`, final | it has raised; Dask may try it again, which the worker does not know |
| `file.failed`, not final | the result is discarded (cancelled), or it asked to be rescheduled |
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass

from virnucpro_bus.clock import NANOSECONDS, Clock
from virnucpro_bus.dask.task_slots import Outcome, TaskSlots
from virnucpro_bus.events.vocabulary import (
    REASON_CHARACTERS,
    Device,
    Fact,
    FileCompleted,
    FileFailed,
    FileProgress,
    FileStarted,
)
from virnucpro_bus.passed_numbers import as_count
from virnucpro_bus.publish.publisher import Publisher
from virnucpro_bus.publish.values import as_reason
from virnucpro_bus.system.console import say
from virnucpro_bus.text import text_of, visible


@dataclass
class _Execution:
    """A task that is being executed."""

    file: str
    started_ns: int
    sequences: int = 0


class TaskEvents:
    """Publishes the tasks of one worker. `progress` is safe to call from any thread, the rest from one thread."""

    def __init__(self, threads: int, connect: Callable[[int], tuple[Device, Publisher]], clock: Clock) -> None:
        """`connect` returns the device of a slot and a publisher for it.

        The slots of the threads are connected at once, so that idle ones are seen, and others when they are used.
        """
        self._slots = TaskSlots(threads)
        self._connect = connect
        self._clock = clock
        self._publishers: dict[int, tuple[Device, Publisher]] = {slot: connect(slot) for slot in range(threads)}
        self._executions: dict[Hashable, _Execution] = {}
        self._has_rejected = self._is_closed = False

    def start(self, task: Hashable) -> None:
        """Publish that a task is about to be executed, if a slot is free."""
        slot = None if self._is_closed else self._slots.start(task)
        if slot is None:
            return
        if slot not in self._publishers:
            self._publishers[slot] = self._connect(slot)
        execution = self._executions[task] = _Execution(name_of(task), self._clock.mono_ns())
        device, _ = self._publishers[slot]
        self._publish(slot, FileStarted(device.key, execution.file))

    def progress(self, task: Hashable, sequences: int, total: int | None) -> None:
        """Publish how many sequences a task has done since its start, of `total`.

        Numbers that no event can carry are not published, and the first ones are reported: no task fails for them.
        """
        try:
            sequences = as_count("sequences", sequences)
            total = None if total is None else as_count("total", total)
        except ValueError as error:
            if not self._has_rejected:
                self._has_rejected = True
                say(f"progress: {error}; it is not published, and neither are later ones")
            return
        execution, slot = self._executions.get(task), self._slots.slot_of(task)
        if execution is None or slot is None or self._is_closed:
            return
        execution.sequences = sequences
        device, bus = self._publishers[slot]
        bus.publish(FileProgress(device.key, execution.file, 0, sequences, total))

    def end(self, task: Hashable, outcome: Outcome, reason: str) -> None:
        """Publish how the execution of a task has ended; `reason` is why it failed."""
        slot = self._slots.end(task)
        if slot is None or self._is_closed:
            return
        execution = self._executions.pop(task)
        seconds = (self._clock.mono_ns() - execution.started_ns) / NANOSECONDS
        device, file = self._publishers[slot][0].key, execution.file
        if outcome is Outcome.COMPLETED:
            self._publish(slot, FileCompleted(device, file, 0, execution.sequences, seconds))
        elif outcome is Outcome.FAILED:
            self._publish(slot, FileFailed(device, file, 0, as_reason(reason), seconds))
        else:
            self._publish(slot, FileFailed(device, file, 0, outcome.value, seconds, final=False))

    def close(self) -> None:
        """Publish the end of every slot. What tasks do afterwards, while the worker closes, is not published."""
        self._is_closed = True
        for _, bus in self._publishers.values():
            bus.close()

    def _publish(self, slot: int, event: Fact) -> None:
        _, bus = self._publishers[slot]
        bus.send_prepared(bus.prepare(event), event)


def name_of(task: Hashable) -> str:
    """Return the name of a task for people: its key as text, of which the end is kept where it is too long."""
    return visible(text_of(task))[-REASON_CHARACTERS:]
