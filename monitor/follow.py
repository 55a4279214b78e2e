"""From a source to a fleet: the loop of every viewer, live or replayed."""

from __future__ import annotations

from collections.abc import Callable

from virnucpro_bus.clock import NANOSECONDS, Clock
from virnucpro_bus.fleet import FleetState
from virnucpro_bus.subscriber import EventSource, Subscriber

TURN_SECONDS = 0.1
HOLE_NS = NANOSECONDS // 2
QUIET_NS = 2 * NANOSECONDS
LAST_WORDS_NS = NANOSECONDS


def follow(source: EventSource, fleet: FleetState, clock: Clock, stopped: Callable[[], object]) -> None:
    """Feed the fleet until the run is over, the source has ended, or `stopped` says so.

    A live source that has a hole for half a second reads the history on; one that is quiet for 2 s has to prove
    that its hub is alive, else AddressError is raised.
    """
    looked_ns = heard_ns = clock.mono_ns()
    finished_ns: int | None = None
    while not (stopped() or source.ended):
        frames, received_ns = source.receive(TURN_SECONDS)
        fleet.feed(frames, received_ns)
        if not isinstance(source, Subscriber):
            continue
        now_ns = clock.mono_ns()
        if frames:
            heard_ns = now_ns
        elif now_ns - heard_ns > QUIET_NS:
            source.prove_alive()
            heard_ns = now_ns
        if fleet.finished:
            finished_ns = now_ns if finished_ns is None else finished_ns
            # What is still missing now is asked for once more, then it is over all the same.
            if not missing(fleet) or now_ns - finished_ns > LAST_WORDS_NS:
                return
        if now_ns - looked_ns > HOLE_NS:
            looked_ns = now_ns
            if missing(fleet):
                source.catch_up()


def read_up(source: Subscriber, fleet: FleetState) -> None:
    """Feed the fleet with all the history there is, and with what has come in meanwhile."""
    while source.behind:
        fleet.feed(*source.receive(0.0))
    fleet.feed(*source.receive(0.0))


def missing(fleet: FleetState) -> bool:
    """Whether events are known to exist that have not arrived."""
    return fleet.get_totals()["events_lost"] > 0
