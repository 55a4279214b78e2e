"""From live buses to what is shown of them: each is followed by a thread of its own, all are shown as one fleet.

A bus that cannot be followed, or no longer, is a line of health as long as there are others; without any other it
is the end.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Self

from virnucpro_bus.clock import NANOSECONDS, Clock
from virnucpro_bus.errors import AddressError, UserError
from virnucpro_bus.fold.fleet import FleetState
from virnucpro_bus.fold.fleet_group import FleetGroup
from virnucpro_bus.run_folder import CAPTURE_NAME
from virnucpro_bus.sources.live import LiveSource, catch_up, follow_live, join, skip_to_snapshot
from virnucpro_bus.sources.playback import fold_capture

TURN_SECONDS = 0.05
LAST_TURN_SECONDS = 0.5
"""How long buses are waited for when all is over; one that waits for an answer is left alone."""
TITLE_CHARACTERS = 72


class FollowedBus:
    """One bus: its fold, and what has become of it."""

    def __init__(
        self,
        target: str,
        clock: Clock,
        server_key: bytes | None = None,
        *,
        interval_seconds: float = 2.0,
        ended_too: bool = True,
    ) -> None:
        """`target` is a run folder or an address; `server_key` is as for `join`.

        `interval_seconds` is as for FleetState. `ended_too` says that a run folder without a live bus is shown as
        its capture has it.
        """
        self.target = target
        self.name = target
        """The target, with a word on a run that was over already."""
        # The clock of another machine may run ahead or behind, even where that machine has this one's name.
        local_host = None if target.startswith("tcp://") else socket.gethostname()
        self.fleet = FleetState(clock, local_host, interval_seconds)
        self.failure: Exception | None = None
        """Why it cannot be followed, or no longer; None while it can, and when its run is over."""
        self._clock = clock
        self._server_key = server_key
        self._interval_seconds = interval_seconds
        self._ended_too = ended_too
        self._source: LiveSource | None = None
        self._is_broken_off = False
        self._caught_up = threading.Event()
        self._stopping = threading.Event()
        # The program must be able to end while this one waits for an answer.
        self._thread = threading.Thread(target=self._run, name=f"follow {target}", daemon=True)

    def start(self) -> None:
        """Begin to read its history."""
        self._thread.start()

    def catch_up(self) -> None:
        """Wait until all there is has been read, or cannot be."""
        while not self._caught_up.wait(TURN_SECONDS):
            pass

    def stop(self) -> None:
        """Follow it no longer; does not wait."""
        self._stopping.set()

    def wait(self, seconds: float) -> None:
        """Wait until it is not followed any more, at most so long."""
        self._thread.join(seconds)

    @property
    def live(self) -> bool:
        """Whether it is being followed."""
        return self._thread.is_alive()

    @property
    def problem(self) -> str | None:
        """What is wrong with it, in a line that names it; None when nothing is."""
        source = self._source
        text = str(self.failure) if self.failure is not None else source.problem if source is not None else None
        if self._is_broken_off and self.fleet.finished:
            text = "the run was broken off; run --resume goes on with it"
        return text if text is None or self.target.rstrip("/") in text else f"{self.target}: {text}"

    def _run(self) -> None:
        try:
            self._follow()
        except Exception as error:  # raised again where it can be shown
            self.failure = error
        finally:
            self._caught_up.set()

    def _follow(self) -> None:
        try:
            self._source = source = join(self.target, self._clock, self._server_key)
        except AddressError:
            capture = Path(self.target) / CAPTURE_NAME
            if not self._ended_too or not capture.is_file():
                raise
            self.fleet = fold_capture(capture, self._clock, interval_seconds=self._interval_seconds)
            self._is_broken_off = not self.fleet.finished
            self.name = f"{self.target} ({'broken off' if self._is_broken_off else 'over'})"
            self.fleet.break_off()
            return
        try:
            catch_up(source, self.fleet)
            self._caught_up.set()
            for _ in follow_live(source, self.fleet, self._clock, self._stopping.is_set):
                skip_to_snapshot(source, self.fleet)
        finally:
            source.close()


class FollowedBuses:
    """All that is watched, from `with` on, which waits until they have been read up to now. One thread."""

    def __init__(self, buses: Sequence[FollowedBus], clock: Clock) -> None:
        self._buses = buses
        self._clock = clock
        self.fleets: FleetGroup
        """All as one; once entered."""

    @property
    def title(self) -> str:
        """Their names, as many as are readable."""
        names = [bus.name for bus in self._buses]
        shown = len(names)
        while shown > 1 and len(", ".join(names[:shown])) > TITLE_CHARACTERS:
            shown -= 1
        return ", ".join(names[:shown]) + (f" and {len(names) - shown} more" if shown < len(names) else "")

    @property
    def live(self) -> bool:
        """Whether any is being followed."""
        return any(bus.live for bus in self._buses)

    def bus_errors(self) -> list[str]:
        """What is wrong with any of them, a line each."""
        return [trouble for bus in self._buses if (trouble := bus.problem) is not None]

    def follow(self, stopped: Callable[[], object], tell: Callable[[str], object]) -> None:
        """Return when the run of each is over, or it has failed, or `stopped` says so, which is asked often.

        `tell` is told once what is wrong with one while others go on. Raises UserError when all have failed.
        """
        told: dict[FollowedBus, bool] = {}
        while not stopped():
            self._raise_failure()
            for bus in self._buses:
                failed, trouble = bus.failure is not None, bus.problem
                if trouble is None:
                    told.pop(bus, None)
                elif told.get(bus) != failed:
                    told[bus] = failed
                    tell(trouble)
            waited_for = next((bus for bus in self._buses if bus.live), None)
            if waited_for is None:
                return
            waited_for.wait(TURN_SECONDS)

    def _raise_failure(self) -> None:
        """Raise what is a fault of ours; and what all have failed from, if all have."""
        failures = [bus.failure for bus in self._buses if bus.failure is not None]
        for failure in failures:
            if not isinstance(failure, UserError):
                raise failure
        if len(failures) == len(self._buses):
            raise failures[0] if len(failures) == 1 else AddressError("; ".join(self.bus_errors()))

    def __enter__(self) -> Self:
        """Raises UserError when none can be followed."""
        for bus in self._buses:
            bus.start()
        for bus in self._buses:
            bus.catch_up()
        self._raise_failure()
        self.fleets = FleetGroup({bus.target: bus.fleet for bus in self._buses}, self.bus_errors)
        return self

    def __exit__(self, *_: object) -> None:
        deadline_ns = self._clock.mono_ns() + int(LAST_TURN_SECONDS * NANOSECONDS)
        for bus in self._buses:
            bus.stop()
        for bus in self._buses:
            bus.wait(max(0.0, (deadline_ns - self._clock.mono_ns()) / NANOSECONDS))
