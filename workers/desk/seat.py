"""A seat: one device of a run, what its worker holds, and how its workers have died."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import NamedTuple

from virnucpro_bus.clock import NANOSECONDS
from virnucpro_bus.events.envelope import WORKER_SOURCE_PREFIX
from virnucpro_bus.events.vocabulary import Device
from workers.commit.committer import FinishedAttempt
from workers.coordinator.assignment import Assignment
from workers.protocol import Refusal, Settled

FAILED_LOADS_UNTIL_RETIREMENT = 3
KILLED_LOADS_UNTIL_RETIREMENT = 6
"""SIGKILL comes from outside: from the out-of-memory killer, or from a user. Only so many in a row, over 4 s at
least, show that no worker will load here."""
FIRST_DELAY_SECONDS = 0.25
LONGEST_DELAY_SECONDS = 5.0


def delay_ns(times: int) -> int:
    """Return the delay after something has failed so many times: none for 0, then it doubles up to a limit."""
    if times <= 0:
        return 0
    return int(min(LONGEST_DELAY_SECONDS, FIRST_DELAY_SECONDS * 2 ** (times - 1)) * NANOSECONDS)


@dataclass
class DeathRecord:
    """How often a device's workers have died since it last settled a file, and while they loaded the job.

    Deaths with a file are judged by schedule/blame.py as well.
    """

    deaths: int = 0
    failed_loads: int = 0
    """How many workers in a row have died before they had loaded the job …"""
    killed_loads: int = 0
    """… and how many of these by SIGKILL."""
    has_loaded: bool = False
    """Whether the worker has loaded the job. Then neither job nor device keeps workers from it."""

    def note_loaded(self) -> None:
        """Note that the worker has loaded the job."""
        self.failed_loads = self.killed_loads = 0
        self.has_loaded = True

    def note_end(self, *, died: bool, was_killed: bool = False) -> bool:
        """Note the end of a worker, which counts if it `died`. Return True if the device is to be retired."""
        has_loaded, self.has_loaded = self.has_loaded, False
        if not died:
            return False
        self.deaths += 1
        if not has_loaded:
            self.failed_loads += 1
            self.killed_loads += was_killed
        return (
            self.failed_loads - self.killed_loads >= FAILED_LOADS_UNTIL_RETIREMENT
            or self.failed_loads >= KILLED_LOADS_UNTIL_RETIREMENT
        )

    def clear(self) -> None:
        """Start over, because the device has settled a file."""
        self.deaths = 0

    def delay_ns(self) -> int:
        """Return the delay before the next worker is started: none after the first death, then it doubles."""
        return delay_ns(self.deaths - 1)


class HeldFile(NamedTuple):
    """A file that a worker holds, for one attempt."""

    assignment: Assignment
    output: str
    """The results folder of the attempt."""


@dataclass
class Seat:
    """One device and the worker at it, as the desk knows them. For one thread."""

    number: int
    """Its place among the devices of the run."""
    device: Device
    epoch: int = 0
    """The number of the worker, counted over all sessions of the run."""
    held: list[HeldFile] = field(default_factory=list)
    """The files that the worker holds, in the order in which it does them."""
    reported: deque[Settled] = field(default_factory=deque)
    """What the worker has reported of them, and the desk has not looked at yet."""
    finished: list[FinishedAttempt] = field(default_factory=list)
    """Those of the first files that it holds which it has completed, and which are not committed yet."""
    refusals: list[Refusal | None] = field(default_factory=list)
    """For each file that the worker last reported, why it was refused; None if it was accepted."""
    answered_ns: int = 0
    """When the worker last got an answer."""
    deaths: DeathRecord = field(default_factory=DeathRecord)
    retired: bool = False
    """Whether the device gets no worker any more."""

    @property
    def source(self) -> str:
        """The name of the worker's stream on the bus."""
        return f"{WORKER_SOURCE_PREFIX}{self.number}"

    @property
    def assignment(self) -> Assignment | None:
        """The file that the worker works on, as far as it has reported; None: it holds none."""
        return self.held[0].assignment if self.held else None

    @property
    def output(self) -> str | None:
        """The results folder of that attempt."""
        return self.held[0].output if self.held else None

    def holds(self, output: str | None) -> bool:
        """Whether the worker holds the attempt of this results folder; None: whether it holds no file."""
        return output in [each.output for each in self.held] if self.held else output is None

    def clear(self) -> None:
        """Note that the worker holds no file."""
        self.held.clear()
        self.reported.clear()
        self.finished.clear()
