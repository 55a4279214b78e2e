"""From a live bus to a fleet, for those who only look at the fleet."""

from __future__ import annotations

from collections.abc import Callable

from virnucpro_bus.clock import Clock
from virnucpro_bus.fleet import FleetState
from virnucpro_bus.listen import listen
from virnucpro_bus.subscriber import Subscriber


def follow(source: Subscriber, fleet: FleetState, clock: Clock, stopped: Callable[[], object]) -> None:
    """Feed the fleet until its run is over or `stopped` says so. Raises AddressError when the hub is gone."""
    for _ in listen(source, fleet, clock, stopped):
        pass


def read_up(source: Subscriber, fleet: FleetState) -> None:
    """Feed the fleet with all the history there is, and with what has come in meanwhile."""
    while source.behind:
        fleet.feed(*source.receive(0.0))
    fleet.feed(*source.receive(0.0))
