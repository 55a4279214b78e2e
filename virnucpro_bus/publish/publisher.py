"""The sending end of the bus in a worker: one method for each event, none of which waits or ends the program.

Two lines are enough in a worker of your own:

    bus = Publisher.connect()                       # address or run folder from VIRNUCPRO_BUS
    bus.file_completed("a.fa", sequences=250, duration_seconds=3.2)
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import Self, TypeVar

from virnucpro_bus import events as ev
from virnucpro_bus.clock import SystemClock
from virnucpro_bus.own_device import find_own_device
from virnucpro_bus.passed_numbers import shown
from virnucpro_bus.publish import worker_events
from virnucpro_bus.publish.joining import join
from virnucpro_bus.publish.own_files import OpenFile, OpenFiles
from virnucpro_bus.publish.own_plan import plan_events
from virnucpro_bus.publish.sender import Sender
from virnucpro_bus.publish.values import as_device

AnyPath = TypeVar("AnyPath", bound="str | os.PathLike[str]")


class Publisher(Sender):
    """Publishes the events of one worker. Safe to use from several threads, in signal handlers and after fork().

    Events that cannot be sent now (no hub yet, or it does not read) are spooled, up to a limit; what exceeds it is
    dropped and counted in the heartbeats. A thread sends a heartbeat every second and empties the spool. In a
    forked child, the first event makes a connection and a stream of its own, unless `source` was given.
    """

    @classmethod
    def connect(
        cls,
        address: str | os.PathLike[str] | None = None,
        *,
        device: int | str | ev.Device | None = None,
        environment: Mapping[str, str] | None = None,
        strict: bool = False,
    ) -> Self:
        """Join a bus from any worker script, and wait at most 1 s for its hub; without one, do nothing, quietly.

        `address` is that of a hub, or the folder of a run with a live hub; None: the environment variable
        VIRNUCPRO_BUS. `device` is a GPU UUID, a CUDA ordinal, any name, or a Device; None: found as
        `own_device.py` says. `environment` None: that of this process. Raises ValueError for a `device` that is
        none of these, and with `strict` AddressError where no hub is found.
        """
        environment = os.environ if environment is None else environment
        named = None if device is None else as_device("device", device)
        chosen = find_own_device(environment, named)
        clock = SystemClock()
        joined = join(address, environment, clock, strict=strict)
        return cls(outbox=joined.outbox, device=chosen, run=joined.run, clock=clock, measures=True)

    # None of what follows ends the program that calls it: where a value cannot be sent, the event is dropped and
    # counted, and the first one is reported.

    def plan(
        self,
        files: Iterable[str | os.PathLike[str]],
        costs: Iterable[float] | None = None,
        *,
        among: Iterable[str | os.PathLike[str]] = (),
    ) -> None:
        """Report that this worker is going to do `files`, so that progress and the effect of stealing are known.

        `costs` is the estimated work of each file, in any unit that all workers share; None: its size in bytes.
        Files of one base name in several folders are each called by the shortest end of the path that is unique.
        Where these are in the plans of several workers, pass the files of all as `among`.
        """
        try:
            if isinstance(files, str | bytes | os.PathLike):
                raise ValueError(f"files: must be several paths, not {shown(files)}")
            planned = list(files)
            self._names.add([*planned, *among])
            events = plan_events(self._device_key, planned, costs, self._names)
        except Exception as error:  # a value may be of any class
            self._reject("plan", error)
            return
        for event in events:
            self.publish(event)

    def file(self, file: str | os.PathLike[str], *, attempt: int = 0) -> OpenFile:
        """Return `file` for a `with` block: started where that begins, and completed or failed as it ends.

        The number of sequences is set, or reported as `progress`, on what `as` names; an exception goes on.
        """
        return self._opened.open(file, attempt)

    def files(self, files: Iterable[AnyPath]) -> Iterator[AnyPath]:
        """Yield `files`, each of which is in progress until the loop asks for the next one.

        The number of sequences is set on `current`. A file at which the loop is left, by `break` or an exception,
        is reported as failed: use `file` where that is not so.
        """
        return self._opened.each(files)

    @property
    def current(self) -> OpenFile:
        """The file that the calling thread has opened last, with `file` or `files`."""
        return self._opened.current

    @cached_property
    def _opened(self) -> OpenFiles:
        return OpenFiles(self, self._clock)

    # One method per event.

    def ready(self) -> None:
        """Report, at once, that this worker has finished loading and can process files."""
        self._totals.ready()
        self.publish(self._heartbeat())

    def file_started(self, file: str | os.PathLike[str], *, attempt: int = 0) -> None:
        """Report that this worker starts `file`, a path of which only the last part is sent."""
        try:
            name = self._names.name_of(file)
            self._publish_own(worker_events.file_started(self._device_key, name, attempt))
        except Exception as error:  # a value may be of any class
            self._reject("file_started", error)

    def file_progress(
        self, file: str | os.PathLike[str], sequences: int, *, total: int | None = None, attempt: int = 0
    ) -> None:
        """Report that `sequences` of `file` are done since the start of this attempt, of `total` if known."""
        try:
            name = self._names.name_of(file)
            self._publish_own(worker_events.file_progress(self._device_key, name, sequences, total, attempt))
        except Exception as error:  # a value may be of any class
            self._reject("file_progress", error)

    def file_completed(
        self, file: str | os.PathLike[str], *, sequences: int, duration_seconds: float, attempt: int = 0
    ) -> None:
        """Report that `file` is done. A negative duration, by a clock that was set back, is sent as 0."""
        try:
            name, key = self._names.name_of(file), self._device_key
            self._publish_own(worker_events.file_completed(key, name, sequences, duration_seconds, attempt))
        except Exception as error:  # a value may be of any class
            self._reject("file_completed", error)

    def file_failed(
        self,
        file: str | os.PathLike[str],
        reason: str | BaseException | None,
        *,
        duration_seconds: float = 0.0,
        attempt: int = 0,
    ) -> None:
        """Report that `file` failed for good; `reason` is one line, or the exception that was raised."""
        try:
            name, key = self._names.name_of(file), self._device_key
            self._publish_own(worker_events.file_failed(key, name, reason, duration_seconds, attempt))
        except Exception as error:  # a value may be of any class
            self._reject("file_failed", error)

    def work_stolen(
        self,
        *,
        source: int | str | ev.Device,
        file: str | os.PathLike[str],
        attempt: int = 0,
        stolen_at_ns: int | None = None,
    ) -> None:
        """Report that this worker's device took `file` from the queue of the device `source`.

        A number as `source` is that of a CPU worker if this worker is one, else CUDA's in this process.
        `stolen_at_ns` is the time of the decision in nanoseconds since 1970; None: now.
        """
        at_ns = self._clock.wall_ns() if stolen_at_ns is None else stolen_at_ns
        try:
            name = self._names.name_of(file)
            self._publish_own(worker_events.work_stolen(self._device_key, name, source, attempt, at_ns))
        except Exception as error:  # a value may be of any class
            self._reject("work_stolen", error)

    def completion(
        self, file: str | os.PathLike[str], *, sequences: int, duration_seconds: float, attempt: int = 0
    ) -> ev.FileCompleted:
        """Return the event that `file_completed` publishes, for a worker that has it acknowledged first.

        Raises ValueError for a value that no event can carry.
        """
        name, key = self._names.name_of(file), self._device_key
        return worker_events.file_completed(key, name, sequences, duration_seconds, attempt)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self.close("finished" if error is None else error)
