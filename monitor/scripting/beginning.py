"""Waits until there is a run to follow: in a folder that may not exist yet, or at an address."""

from __future__ import annotations

import select
from collections.abc import Sequence
from pathlib import Path

from monitor.runs.row import STARTING, row_of
from virnucpro_bus.clock import Clock
from virnucpro_bus.errors import AddressError
from virnucpro_bus.sources.live import join
from virnucpro_bus.system.console import say
from virnucpro_bus.system.signals import SignalFlag

LOOK_EVERY_SECONDS = 0.5


def wait_for_runs(targets: Sequence[tuple[str, bytes | None]], clock: Clock, signals: SignalFlag) -> bool:
    """Wait until each target, with its server's key, has a run, live or past. False: a signal came before that.

    Raises UserError where the keys cannot be used.
    """
    for target, server_key in targets:
        has_said = False
        while not _has_run(target, server_key, clock):
            if signals.signal:
                return False
            if not has_said:
                has_said = True
                say(f"{target}: waiting for a run to begin")
            select.select([signals.fileno()], [], [], LOOK_EVERY_SECONDS)
    return not signals.signal


def _has_run(target: str, server_key: bytes | None, clock: Clock) -> bool:
    if "://" not in target:
        row = row_of(Path(target))
        return row is not None and row["state"] != STARTING
    try:
        join(target, clock, server_key).close()
    except AddressError:
        return False
    return True
