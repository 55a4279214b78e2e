"""Attaching to live buses: each is followed by a thread of its own, and all are shown as one fleet.

A bus that cannot be followed is a problem line as long as there are others; without any other it is an error.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Self

from virnucpro_bus.clock import NANOSECONDS, Clock
from virnucpro_bus.errors import AddressError, EndedError, NoAnswerError, UserError
from virnucpro_bus.fold.fleet import FleetState
from virnucpro_bus.fold.fleet_group import FleetGroup
from virnucpro_bus.run_folder import CAPTURE_NAME, announced_addresses
from virnucpro_bus.run_lock import Evidence, examine_lock
from virnucpro_bus.sources.live import LiveSource, catch_up, follow_live, join, skip_to_snapshot
from virnucpro_bus.sources.subscriber import Subscriber

TURN_SECONDS = 0.05
"""How often events of the threads are checked for."""
RETRY_SECONDS = 0.5
"""Time between two attempts to join a bus that is waited for."""
CLOSE_SECONDS = 0.5
"""How long closing waits for the threads; one that waits for an answer is left behind."""
TITLE_CHARACTERS = 72
"""A longer title names fewer buses."""


class FollowedBus:
    """One bus that a thread follows: its fold, and its failure if it has one."""

    def __init__(
        self,
        target: str,
        clock: Clock,
        server_key: bytes | None = None,
        *,
        interval_seconds: float = 2.0,
        accept_ended: bool = True,
        on_wait: Callable[[str], object] | None = None,
    ) -> None:
        """`target` is a run folder or an address; `server_key` is as for `join`.

        `interval_seconds` is as for FleetState. `accept_ended`: a run folder without a live bus is read from its
        capture. `on_wait`: where nothing answers at an address, a run is waited for, and a line says so once;
        None: that is an error.
        """
        self.target = target
        self.name = target
        """The target, with a note if its run has ended."""
        self.fleet = FleetState(clock, interval_seconds=interval_seconds)
        self.failure: Exception | None = None
        """Why the bus is not followed; None while it is, and when its run is over."""
        self._clock = clock
        self._server_key = server_key
        self._interval_seconds = interval_seconds
        self._accept_ended = accept_ended
        self._on_wait = on_wait if "://" in target else None
        self._source: LiveSource | None = None
        self._continued_by: str | None = None
        """The command that continues an interrupted run; None: it is not one, or has not begun."""
        self._caught_up = threading.Event()
        self._ended = threading.Event()
        self._stopping = threading.Event()
        # A daemon: the program must be able to end while this thread waits for an answer.
        self._thread = threading.Thread(target=self._run, name=f"follow {target}", daemon=True)

    def start(self) -> None:
        """Start reading its history."""
        self._thread.start()

    def catch_up(self, most_seconds: float | None = None) -> bool:
        """Wait until its history is read, or has failed to be; return whether that is so within `most_seconds`."""
        if most_seconds is not None:
            return self._caught_up.wait(most_seconds)
        while not self._caught_up.wait(TURN_SECONDS):
            pass
        return True

    def stop(self) -> None:
        """Stop following it; does not wait."""
        self._stopping.set()

    def wait(self, seconds: float) -> None:
        """Wait until it is no longer followed, at most `seconds`."""
        self._ended.wait(seconds)

    @property
    def live(self) -> bool:
        """Whether it is being followed."""
        # Not by the thread, which is still alive for a moment after all is read.
        return self._thread.ident is not None and not self._ended.is_set()

    @property
    def problem(self) -> str | None:
        """The problem with this bus, in a line that names it; None when there is none."""
        source = self._source
        text = str(self.failure) if self.failure is not None else source.problem if source is not None else None
        if self._continued_by is not None:
            text = f"the run was interrupted; continue it with {self._continued_by} --resume"
        return text if text is None or self.target.rstrip("/") in text else f"{self.target}: {text}"

    def _run(self) -> None:
        try:
            self._follow()
        except Exception as error:  # FollowedBuses raises it in the main thread, or shows it
            self.failure = error
        finally:
            self._ended.set()
            self._caught_up.set()

    def _follow(self) -> None:
        try:
            self._source = source = self._begin()
        except EndedError:  # before it was joined, or while its history was read
            capture = Path(self.target) / CAPTURE_NAME
            if not self._accept_ended or not capture.is_file():
                raise
            self._read_capture(capture)
            return
        self._caught_up.set()
        try:
            for _ in follow_live(source, self.fleet, self._clock, self._stopping.is_set):
                skip_to_snapshot(source, self.fleet)
        except EndedError:  # its hub was killed
            self.fleet.break_off()
            raise
        finally:
            source.close()

    def _begin(self) -> LiveSource:
        """Join the bus and read its history. Raises AddressError and UserError."""
        source = self._join()
        # Another machine's clock may be ahead or behind, even if that machine has this one's name.
        if isinstance(source, Subscriber):
            self.fleet.local_host = source.hello.host
        try:
            catch_up(source, self.fleet)
        except BaseException:
            source.close()
            raise
        return source

    def _join(self) -> LiveSource:
        """Join the bus. Raises AddressError and UserError."""
        has_said = False
        while True:
            try:
                return join(self.target, self._clock, self._server_key)
            except NoAnswerError as error:
                if self._on_wait is None:
                    raise
                if not has_said:
                    has_said = True
                    self._on_wait(f"{error}; waiting for a run to begin")
                if self._stopping.wait(RETRY_SECONDS):
                    raise

    def _read_capture(self, capture: Path) -> None:
        from virnucpro_bus.sources.recording import load_fold

        folded = load_fold(capture, self._clock, interval_seconds=self._interval_seconds, may_grow=False)
        self.fleet = folded.fleet
        has_ended = self.fleet.finished and not self.fleet.is_broken_off
        # A run that is about to be resumed holds its folder before it has a bus.
        is_starting = not has_ended and examine_lock(capture.parent)[0] is Evidence.HELD
        is_interrupted = not has_ended and not is_starting
        if is_interrupted:
            self._continued_by = self._continuing_command(capture.parent)
        state = "starting" if is_starting else "interrupted" if is_interrupted else "ended"
        self.name = f"{self.target} ({state})"

    def _continuing_command(self, run_dir: Path) -> str | None:
        left = announced_addresses(run_dir)
        if left is not None and not left.has_launcher:
            return "hub"
        return "run" if self.fleet.finished else None


class FollowedBuses:
    """Several buses as one fleet. Entering waits until the history of each is read. One thread."""

    def __init__(self, buses: Sequence[FollowedBus], clock: Clock) -> None:
        self._buses = buses
        self._clock = clock
        self.fleets: FleetGroup
        """All buses as one fleet; set by entering."""

    @property
    def title(self) -> str:
        """The names of the buses, as many as fit TITLE_CHARACTERS, and the number of the others."""
        names = [bus.name for bus in self._buses]
        shown = len(names)
        while shown > 1 and len(", ".join(names[:shown])) > TITLE_CHARACTERS:
            shown -= 1
        return ", ".join(names[:shown]) + (f" and {len(names) - shown} more" if shown < len(names) else "")

    @property
    def live(self) -> bool:
        """Whether any bus is being followed."""
        return any(bus.live for bus in self._buses)

    def bus_errors(self) -> list[str]:
        """Return what is wrong with the buses, a line each."""
        return [problem for bus in self._buses if (problem := bus.problem) is not None]

    def follow(self, stopped: Callable[[], object], report: Callable[[str], object]) -> None:
        """Wait until the run of each bus is over or it has failed, or `stopped()`, which is called often, is true.

        `report` receives each problem of one bus once, while others continue. Raises UserError when all have
        failed.
        """
        reported: dict[FollowedBus, bool] = {}
        while not stopped():
            self._raise_failure()
            for bus in self._buses:
                has_failed, problem = bus.failure is not None, bus.problem
                if problem is None:
                    reported.pop(bus, None)
                elif reported.get(bus) != has_failed:
                    reported[bus] = has_failed
                    report(problem)
            live = next((bus for bus in self._buses if bus.live), None)
            if live is None:
                return
            live.wait(TURN_SECONDS)

    def _raise_failure(self) -> None:
        """Raise any exception that is a bug; and the reason if every bus has failed."""
        failures = [bus.failure for bus in self._buses if bus.failure is not None]
        for failure in failures:
            if not isinstance(failure, UserError):
                raise failure
        if len(failures) == len(self._buses):
            raise failures[0] if len(failures) == 1 else AddressError("; ".join(self.bus_errors()))

    def __enter__(self) -> Self:
        """Raises UserError when no bus can be followed."""
        for bus in self._buses:
            bus.start()
        for bus in self._buses:
            bus.catch_up()
        self._raise_failure()
        self.fleets = FleetGroup({bus.target: bus.fleet for bus in self._buses}, self.bus_errors)
        return self

    def __exit__(self, *_: object) -> None:
        deadline_ns = self._clock.mono_ns() + int(CLOSE_SECONDS * NANOSECONDS)
        for bus in self._buses:
            bus.stop()
        for bus in self._buses:
            bus.wait(max(0.0, (deadline_ns - self._clock.mono_ns()) / NANOSECONDS))
