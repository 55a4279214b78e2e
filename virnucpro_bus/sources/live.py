"""The loop of all who listen to a live bus: holes are filled, a dead hub is noticed, the end is the run's."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from virnucpro_bus.clock import NANOSECONDS, Clock
from virnucpro_bus.errors import AddressError, SnapshotError
from virnucpro_bus.fold.fleet import FleetState
from virnucpro_bus.remote.follower import Follower
from virnucpro_bus.run_folder import read_addresses
from virnucpro_bus.sources.subscriber import Subscriber

LiveSource = Subscriber | Follower
TURN_SECONDS = 0.1
HOLE_NS = NANOSECONDS // 2
QUIET_NS = 2 * NANOSECONDS
LAST_WORDS_NS = NANOSECONDS
MUCH_BYTES = 8 << 20
"""Of history: to read and fold it takes longer than to take over a snapshot."""


def catch_up(source: LiveSource, fleet: FleetState) -> None:
    """Bring an empty fleet up to now: by a snapshot where there is one, and by the history from there on.

    Raises AddressError when nobody answers any more.
    """
    _take_snapshot(source, fleet)
    while source.behind:
        fleet.feed(*source.receive(0.0))
    fleet.feed(*source.receive(0.0))


def skip_to_snapshot(source: LiveSource, fleet: FleetState) -> None:
    """Pass over much unread history, where a snapshot holds it; for those who look at the fleet and nothing else.

    One who stood still for a while is so up to date again as soon as one who has just come. Raises AddressError.
    """
    if source.unread_bytes >= MUCH_BYTES:
        _take_snapshot(source, fleet)


def _take_snapshot(source: LiveSource, fleet: FleetState) -> None:
    """Let the fleet become what the source has folded, where that is further on than what has been read."""
    snapshot = source.snapshot()
    if snapshot is None or snapshot.offset <= source.offset:
        return
    ahead = fleet.empty_copy()
    try:
        ahead.load(snapshot.fold)
    except SnapshotError:
        return  # of another version: we fold everything ourselves
    fleet.replace_with(ahead)
    source.seek(snapshot.offset)


def follow_live(
    source: LiveSource, fleet: FleetState, clock: Clock, stopped: Callable[[], object]
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
                source.resume_history()
            source.poll_hub_count()


def missing(fleet: FleetState, source: LiveSource) -> bool:
    """Whether events are known to exist that have not arrived: a hole, or fewer than the hub has."""
    totals = fleet.get_totals()
    return totals["events_lost"] > 0 or totals["events_received"] < source.events_on_record


def history_address(target: str) -> str:
    """The history address of a run folder, or `target` itself when it is an address. Raises AddressError."""
    if "://" in target:
        return target
    folder = Path(target)
    if not folder.is_dir():
        raise AddressError(
            f"{target}: is neither a run folder nor an address such as ipc:///path or tcp://host:port"
        )
    return read_addresses(folder).history


def join(target: str, clock: Clock, server_key: bytes | None = None) -> Subscriber | Follower:
    """Join the live bus of a run folder, or at an address: that of a relay (tcp://) or of a hub's history (ipc://).

    `server_key` is the relay's public key; None for a relay that needs none. Raises AddressError when nobody can
    be joined there, and UserError when the keys cannot be used.
    """
    address = history_address(target)
    if address.startswith("tcp://"):
        return Follower(address, clock, server_key)
    return Subscriber(address, clock, None if "://" in target else Path(target))
