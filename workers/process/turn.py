"""One file's turn in a worker: when it began and ended, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from virnucpro_bus.clock import NANOSECONDS, Clock
from virnucpro_bus.errors import DoNotRetry, UserError
from workers.process.attempt import Performed
from workers.process.failure_reason import describe_failure, log_traceback
from workers.process.trouble import find_trouble
from workers.protocol import Task


class Moment(NamedTuple):
    """A time by both clocks of this machine."""

    wall_ns: int
    mono_ns: int


class Failure(NamedTuple):
    """Why an attempt failed. It does not keep the exception: that holds all that the job had in memory."""

    reason: str
    is_final: bool
    """Whether the file is not tried again."""
    stop_reason: str | None
    """Why every file would fail; None: this file may be the reason."""


def failure_of(error: BaseException, task: Task) -> Failure:
    """Return why an attempt failed that has raised `error`, with the traceback in the log if that is of use."""
    if not isinstance(error, UserError):
        log_traceback(error)
    trouble = find_trouble(error, task)
    is_final = trouble is None and (task.is_last or isinstance(error, DoNotRetry))
    return Failure(describe_failure(error), is_final, trouble)


@dataclass(eq=False)
class Turn:
    """One file, from when the job's thread begins it until the launcher has accepted how it ended."""

    task: Task
    began: Moment
    is_announced: bool = False
    """Whether its start is on the bus."""
    ended: Moment | None = None
    """When its results were on disk, or the job's thread began the next file, whichever was first."""
    result: Performed | Failure | None = None
    """What the job has made of it; None while it is at work."""
    warning: str | None = None
    """What the job warns of; None: nothing."""

    def end(self, at: Moment) -> None:
        """End the turn at this time, unless it has ended."""
        self.ended = self.ended or at

    @property
    def seconds(self) -> float:
        """How long it took, once it has ended. The turns of a worker do not overlap."""
        return 0.0 if self.ended is None else (self.ended.mono_ns - self.began.mono_ns) / NANOSECONDS


def now(clock: Clock) -> Moment:
    """Return the present time."""
    return Moment(clock.wall_ns(), clock.mono_ns())
