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
    hooks = Hooks(commands, [bus], clock, interval_seconds, holds_ends=True)
    buses = FollowedBuses([bus], clock)
    # Raised if it has ended before it could be joined, or its launcher was killed.
    with suppress(UserError), buses:
        hooks.during(lambda stopped: buses.follow(stopped, lambda problem: None))(lambda: None)
    hooks.finish(_status_of_launcher(hooks))
    return 0


def _status_of_launcher(hooks: Hooks) -> int | None:
    """Wait until the launcher is done, and return the exit status of its run; None: it has died."""
    read = b""
    while True:
        hooks.poll()
        if select.select([_STANDARD_INPUT], [], [], _POLL_SECONDS)[0]:
            part = os.read(_STANDARD_INPUT, 64)
            if not part:
                return int(read) if read.strip().isdigit() else None
            read += part
