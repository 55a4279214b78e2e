"""The course of a recorded run as plain data. `recorder.py` makes it; reports, traces and tables are made of it.

All times are nanoseconds since 1970 by the clock that took the times of receipt, that of the hub: so hosts whose
wall clocks differ are on one axis, and a wall clock that was set moves nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from operator import attrgetter
from typing import Literal, NamedTuple

from virnucpro_bus.device_keys import gpus_of
from virnucpro_bus.devices import only_one_with_prefix
from virnucpro_bus.events.vocabulary import Device
from virnucpro_bus.timeline.sample_columns import SampleColumns

Outcome = Literal["completed", "failed", "lost", "broken off", "running"]
"""How an attempt ended. "lost": its worker died before the result was taken, whatever it had reported.
"broken off": the run ended before it, or was killed."""
DeviceKey = tuple[str, str]
"""A host and the key of a device there."""


class Attempt(NamedTuple):
    """One attempt at a file. A file that was done twice has two."""

    host: str
    device: str
    """The key of the device."""
    file: str
    attempt: int
    """Its number, from 1; 0: not counted."""
    start_ns: int
    end_ns: int
    """For one that has not ended: when its worker was last heard, or now while it is running."""
    outcome: Outcome
    wall_ns: int
    """The time of `end_ns` by the wall clock of its host, for display."""
    duration_seconds: float
    """As reported; for one that did not report its end, from `start_ns` to `end_ns`."""
    sequences: int | None
    """None unless its completion was reported."""
    reason: str
    """Why it failed or was lost; otherwise ""."""
    stolen_from: str | None
    """The key of the device whose queue it was stolen from; None: it was not stolen."""


class TimedSteal(NamedTuple):
    """A device took a file from another's queue. Sorts by time."""

    at_ns: int
    host: str
    thief: str
    victim: str
    file: str
    attempt: int


class Loading(NamedTuple):
    """A worker that was up, but not yet ready for files, mostly because it loaded its model."""

    host: str
    device: str
    start_ns: int
    end_ns: int
    is_ready: bool
    """Whether it was ready at the end; otherwise it stopped, died or was last heard then."""


class Loss(NamedTuple):
    """A worker died."""

    at_ns: int
    host: str
    device: str
    file: str | None
    """The file that it had in progress, even if it had not begun it; None without one."""
    attempt: int
    """The number of that attempt; 0: not counted, or without a file."""
    reason: str


class Depth(NamedTuple):
    """How many files were pending in all queues of a host from a moment on."""

    at_ns: int
    host: str
    files: int


class Session(NamedTuple):
    """A launched run from its start, or from one of its resumptions, until it ended."""

    start_ns: int
    end_ns: int
    """If its end was not reported: when its launcher was last heard, or now while it is running."""
    host: str
    run: str
    """The name of the run."""
    job: str
    policy: str
    exit_code: int | None
    """None while it is running, and when it was killed."""


class TimedNotice(NamedTuple):
    """A message for the user."""

    at_ns: int
    host: str
    text: str


_start_ns, _end_ns = attrgetter("start_ns"), attrgetter("end_ns")


@dataclass(frozen=True)
class Timeline:
    """The course of a run, each list in the order of time. Safe to read from any thread."""

    attempts: list[Attempt]
    """By their end."""
    steals: list[TimedSteal]
    loading: list[Loading]
    losses: list[Loss]
    depths: list[Depth]
    sessions: list[Session]
    notices: list[TimedNotice]
    samples: Mapping[DeviceKey, SampleColumns]
    """Of each sampled GPU."""
    devices: Mapping[DeviceKey, Device]
    """All devices that any event names, by host, then index."""
    sizes: Mapping[str, Mapping[str, int | None]]
    """The bytes of each planned file, by host, then file; None where sessions of a run report different ones."""
    unrecorded_frames: int
    """Events that are missing because the capture could not be written."""

    @property
    def span_ns(self) -> tuple[int, int] | None:
        """The first and the last moment of all; None if nothing is known."""
        moments = [*map(_start_ns, self.attempts), *map(_end_ns, self.attempts[-1:])]
        moments += [at_ns for each in self.loading for at_ns in (each.start_ns, each.end_ns)]
        moments += [at_ns for each in self.samples.values() for at_ns in (each.times[0], each.times[-1])]
        return (min(moments), max(moments)) if moments else None

    def samples_of(self, host: str, device: str) -> dict[str, SampleColumns]:
        """The samples of each GPU of a device, by the key that the device's own has for it.

        It may be the beginning of a UUID that only one GPU of the host has. Empty unless all GPUs were sampled.
        """
        found = {gpu: self._samples_of_gpu(host, gpu) for gpu in gpus_of(device)}
        known = {gpu: columns for gpu, columns in found.items() if columns is not None}
        return known if len(known) == len(found) else {}

    def _samples_of_gpu(self, host: str, gpu: str) -> SampleColumns | None:
        columns = self.samples.get((host, gpu))
        if columns is None:
            uuid = only_one_with_prefix(gpu, sorted(key for name, key in self.samples if name == host))
            columns = None if uuid is None else self.samples[host, uuid]
        return columns
