"""How a worker's script finds its bus: by an address, by a run folder, or not at all, which harms nothing."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from time import sleep
from typing import TYPE_CHECKING, NamedTuple

from virnucpro_bus.clock import Clock
from virnucpro_bus.errors import AddressError, EndedError
from virnucpro_bus.passed_numbers import shown
from virnucpro_bus.publish.outbox import FIRST_SUBSCRIBER_SECONDS, FrameOutbox, NoOutbox, Outbox

if TYPE_CHECKING:
    from virnucpro_bus.run_folder import BusAddresses

ADDRESS_VARIABLE = "VIRNUCPRO_BUS"
RUN_VARIABLE = "VIRNUCPRO_RUN"
_TRIES = 20
"""How often a folder is examined for a hub, within FIRST_SUBSCRIBER_SECONDS."""


class Joined(NamedTuple):
    """Where a worker publishes, and the id of the run, "" where it is unknown."""

    outbox: FrameOutbox
    run: str


def join(
    place: str | os.PathLike[str] | None, environment: Mapping[str, str], clock: Clock, *, strict: bool
) -> Joined:
    """Join the bus at `place`, an address or a run folder; None: what VIRNUCPRO_BUS says.

    Waits at most 1 s for a hub. One that starts later is found at an address, but not in a folder. Without a hub
    nothing is raised, unless `strict`: then AddressError, which says what to do.
    """
    run = environment.get(RUN_VARIABLE, "")
    place = place or environment.get(ADDRESS_VARIABLE)
    if not place:
        if strict:
            raise AddressError(f"no bus address: pass one, or set {ADDRESS_VARIABLE} (the hub prints it)")
        return Joined(NoOutbox(), run)
    try:
        address = os.fsdecode(place)
        if "://" not in address:
            found = _hub_in(Path(address))
            address, run = found.publish, found.run
        outbox = Outbox(address, clock)
    except (AddressError, OSError, TypeError, ValueError) as error:
        problem = str(error) if isinstance(error, AddressError) else f"{shown(place)}: {error}"
        if strict:
            raise AddressError(problem) from None
        return Joined(NoOutbox(problem), run)
    if strict and not outbox.was_connected:
        outbox.close()
        raise AddressError(f"{address}: no hub has answered; check the address, or start the hub first")
    return Joined(outbox, run)


def _hub_in(folder: Path) -> BusAddresses:
    """Wait at most 1 s for a hub in `folder`. Raises AddressError."""
    from virnucpro_bus.run_folder import read_addresses  # a worker that has an address does without

    for _ in range(_TRIES):
        try:
            return read_addresses(folder)
        except EndedError:
            sleep(FIRST_SUBSCRIBER_SECONDS / _TRIES)
    return read_addresses(folder)
