"""The loop of all who listen to a live bus: holes are filled, a dead hub is noticed, the end is the run's."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from virnucpro_bus.clock import NANOSECONDS, Clock
from virnucpro_bus.fleet import FleetState
from virnucpro_bus.subscriber import Subscriber

TURN_SECONDS = 0.1
HOLE_NS = NANOSECONDS // 2
QUIET_NS = 2 * NANOSECONDS
LAST_WORDS_NS = NANOSECONDS


def listen(
    source: Subscriber, fleet: FleetState, clock: Clock, stopped: Callable[[], object]
) -> Iterator[list[bytes]]:
    """Feed the fleet until its run is over or `stopped` says so; yields what it was fed, after each turn.

    When there has been a hole for half a second the history is read on; a bus that is quiet for 2 s has to prove
    that its hub is alive, else AddressError is raised. What comes twice is yielded twice.
    """
    looked_ns = heard_ns = clock.mono_ns()
    finished_ns: int | None = None
    while not stopped():
        frames, received_ns = source.receive(TURN_SECONDS)
        fleet.feed(frames, received_ns)
        yield frames
        now_ns = clock.mono_ns()
        if frames:
            heard_ns = now_ns
        elif now_ns - heard_ns > QUIET_NS:
            source.prove_alive()
            heard_ns = now_ns
        if fleet.finished:
            finished_ns = now_ns if finished_ns is None else finished_ns
            # What is still missing now is asked for once more, then it is over all the same.
            if not missing(fleet, source) or now_ns - finished_ns > LAST_WORDS_NS:
                return
        if now_ns - looked_ns > HOLE_NS:
            looked_ns = now_ns
            # What the hub had at the last look has had the time to arrive.
            if missing(fleet, source):
                source.catch_up()
            source.look()


def missing(fleet: FleetState, source: Subscriber) -> bool:
    """Whether events are known to exist that have not arrived: a hole, or fewer than the hub has."""
    totals = fleet.get_totals()
    return totals["events_lost"] > 0 or totals["events_received"] < source.events_on_record
