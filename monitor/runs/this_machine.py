"""What `monitor` shows without a run: the GPUs of this machine, and this user's run as soon as there is one."""

from __future__ import annotations

import os
from collections.abc import Callable
from time import sleep
from typing import Self

from monitor.attach import TURN_SECONDS, FollowedBus, FollowedBuses
from monitor.gpu.local_fleet import LocalFleet
from monitor.runs.listing import newest_running
from virnucpro_bus import run_registry
from virnucpro_bus.clock import NANOSECONDS, Clock
from virnucpro_bus.errors import UserError
from virnucpro_bus.fold.fleet_group import FleetGroup
from virnucpro_bus.system.console import say

LOOK_NS = NANOSECONDS // 4
"""Time between two looks at the registry."""
WAITING = "no run of yours is live on this machine; the next one that you start is shown here"


class ThisMachine:
    """The GPUs of this machine until a run is joined, then that run; used like FollowedBuses. One thread.

    Entering joins the run that was started last, if one is live.
    """

    def __init__(self, clock: Clock, interval_seconds: float = 2.0, *, once: bool = False) -> None:
        """`interval_seconds` is as for FleetState.

        `once`: entering waits for the figures of the GPUs, and no run is waited for.
        """
        self._clock = clock
        self._interval_seconds = interval_seconds
        self._once = once
        self._local: LocalFleet | None = None
        """None where a run was live from the beginning."""
        self._joined: FollowedBuses | None = None
        self._looked_ns = clock.mono_ns()
        self._signs = run_registry.signs_of_change()
        self.fleets = FleetGroup({}, self.bus_errors)
        """What is shown at present, as one fleet."""

    @property
    def title(self) -> str:
        """The name of what is shown at present."""
        return os.uname().nodename if self._joined is None else self._joined.title

    @property
    def live(self) -> bool:
        """Whether anything may still change: until the run that was joined is over."""
        return self._joined is None or self._joined.live

    def bus_errors(self) -> list[str]:
        """Return what is wrong with the run that was joined, in a line."""
        return [] if self._joined is None else self._joined.bus_errors()

    def follow(self, stopped: Callable[[], object], report: Callable[[str], object]) -> None:
        """Wait for a run and then for its end, or until `stopped()`, which is called often, is true.

        `report` receives the problem of the run that was joined, if it has one. Raises UserError when it has
        failed.
        """
        while self._joined is None:
            if stopped():
                return
            sleep(TURN_SECONDS)
            if self._has_registry_changed():
                self._join(stopped)
        self._joined.follow(stopped, report)

    def __enter__(self) -> Self:
        """Raises what a bug has raised while a run was joined."""
        if not self._join(lambda: False):
            self._local = LocalFleet(self._clock, self._interval_seconds)
            self.fleets.show({"": self._local.fleet})
            if self._once:
                self._local.sample_once()
            else:
                self._local.notify(WAITING)
                self._local.start()
        return self

    def __exit__(self, *exc: object) -> None:
        if self._local is not None:
            self._local.stop()
        if self._joined is not None:
            self._joined.__exit__(*exc)

    def _has_registry_changed(self) -> bool:
        """Return whether it has, since the last look that was due."""
        now_ns = self._clock.mono_ns()
        if now_ns - self._looked_ns < LOOK_NS:
            return False
        before, self._looked_ns, self._signs = self._signs, now_ns, run_registry.signs_of_change()
        return self._signs != before

    def _join(self, stopped: Callable[[], object]) -> bool:
        """Show the run that was started last, if one is live and its history is read before `stopped()`."""
        folder = newest_running()
        if folder is None:
            return False
        bus = FollowedBus(folder, self._clock, interval_seconds=self._interval_seconds, accept_ended=False)
        bus.start()
        while not bus.catch_up(TURN_SECONDS):
            if stopped():
                bus.stop()
                return False
        if bus.failure is not None:
            if not isinstance(bus.failure, UserError):
                raise bus.failure
            return False  # it has just ended
        self._joined = FollowedBuses([bus], self._clock)
        self.fleets.show({bus.target: bus.fleet})
        if self._local is not None:
            self._local.stop()
        say(f"shows the run in {folder}")
        return True
