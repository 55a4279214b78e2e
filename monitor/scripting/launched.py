"""The process that calls commands for a run, which its launcher has started and which outlives that.

Its standard input is a pipe of the launcher's, which writes the exit status of the run there when all of it is
done, and closes it: the end of a launcher that was killed closes it too.
"""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress

from monitor.attach import FollowedBus, FollowedBuses
from monitor.scripting.calls import Kind
from monitor.scripting.hooks import Hooks
from virnucpro_bus.clock import Clock
from virnucpro_bus.errors import UserError

_STANDARD_INPUT = 0
_POLL_SECONDS = 0.05


def watch_for_launcher(
    bus: FollowedBus, commands: Mapping[Kind, Sequence[str]], clock: Clock, interval_seconds: float
) -> int:
    """Follow a run until its launcher is done or has died, and call the commands. Returns the exit status, 0."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # What ends the run ends this process once the end was reported. Not SIG_IGN: commands would inherit that.
        signal.signal(number, lambda *_: None)
    hooks, launcher = Hooks(commands, [bus], clock, interval_seconds, holds_ends=True), _Launcher()
    buses = FollowedBuses([bus], clock)
    # Raised if it has ended before it could be joined, or its launcher was killed.
    with suppress(UserError), buses:
        hooks.during(lambda stopped: buses.follow(stopped, lambda problem: None))(launcher.has_died)
    while not launcher.is_done:
        hooks.poll()
        launcher.listen(_POLL_SECONDS)
    if launcher.has_died():
        bus.fleet.break_off()
    # How it has ended is known even of a run that could not be joined.
    hooks.finish(lambda seen: seen.ended_with(launcher.status))
    return 0


class _Launcher:
    """What the launcher has written to the standard input."""

    def __init__(self) -> None:
        self._written = b""
        self.is_done = False
        """Whether it has closed the pipe, or has died."""

    @property
    def status(self) -> int | None:
        """The exit status of the run; None before it is known, and if the launcher has died."""
        return int(self._written) if self._written.isdigit() else None

    def listen(self, seconds: float) -> None:
        """Read what is there, or comes within `seconds`."""
        if not self.is_done and select.select([_STANDARD_INPUT], [], [], seconds)[0]:
            part = os.read(_STANDARD_INPUT, 64)
            self._written += part
            self.is_done = not part

    def has_died(self) -> bool:
        """Whether it has died before all of the run was done."""
        self.listen(0.0)
        return self.is_done and self.status is None
