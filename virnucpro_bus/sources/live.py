"""Joins a live bus (its sockets, its capture or a relay) and keeps a fold of it up to date until its run ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from virnucpro_bus.clock import NANOSECONDS, Clock
from virnucpro_bus.errors import AddressError, EndedError, SnapshotError
from virnucpro_bus.files.socket_folder import is_listening
from virnucpro_bus.fold.fleet import FleetState
from virnucpro_bus.run_folder import read_addresses
from virnucpro_bus.run_lock import Evidence, examine_lock, shows_life
from virnucpro_bus.snapshot.format import unpack
from virnucpro_bus.sources.capture_tail import CaptureTail
from virnucpro_bus.sources.subscriber import Subscriber
from virnucpro_bus.system.memory import all_stays_in_use

if TYPE_CHECKING:
    from virnucpro_bus.remote.follower import Follower

LiveSource: TypeAlias = "Subscriber | Follower | CaptureTail"
RECEIVE_SECONDS = 0.1
RECEIVES_AT_JOIN = 40
"""How much that arrived while the history was read is folded before the first figures: a busy bus never pauses."""
GAP_CHECK_NS = NANOSECONDS // 2
SILENT_AFTER_NS = 2 * NANOSECONDS
MAX_WAIT_AT_END_NS = NANOSECONDS
"""How long to wait for missing events after the run has finished."""
SNAPSHOT_FROM_BYTES = 8 << 20
"""Taking over a snapshot is faster than reading and folding this much history."""


def join(target: str, clock: Clock, server_key: bytes | None = None) -> LiveSource:
    """Join the bus of a run folder, or at an address: that of a relay (tcp://) or of a hub's history (ipc://).

    `server_key` is the relay's public key; None for a relay without keys. Raises EndedError when no run is live in
    the folder, another AddressError when no bus answers, and UserError when the keys cannot be used.
    """
    if target.startswith("tcp://"):
        from virnucpro_bus.remote.follower import Follower  # with keys and limits, which only this needs

        return Follower(target, clock, server_key)
    return Subscriber(target, clock) if "://" in target else _join_folder(Path(target), clock)


def _join_folder(run_dir: Path, clock: Clock) -> Subscriber | CaptureTail:
    """Join the bus of a run folder by its sockets, or else by its capture. Raises AddressError.

    It takes up to five seconds to see whether the run of another machine is still in progress.
    """
    if not run_dir.is_dir():
        raise AddressError(
            f"{run_dir}: is neither a run folder nor an address such as ipc:///path or tcp://host:port"
        )
    try:
        addresses = read_addresses(run_dir)
    except EndedError:
        raise
    except AddressError as error:
        reason = str(error)
    else:
        if is_listening(addresses.history):
            return Subscriber(addresses.history, clock, run_dir)
        reason = f"{run_dir}: the run on {addresses.host} (pid {addresses.pid}) cannot be reached from here"
    if examine_lock(run_dir)[0] is Evidence.HELD or shows_life(run_dir):
        return CaptureTail(run_dir, clock, reason)
    raise EndedError(f"{reason}, and shows no sign of life")


def catch_up(source: LiveSource, fleet: FleetState) -> None:
    """Feed an empty fleet everything up to now: a snapshot if there is one, then the history after it.

    Raises AddressError when the bus no longer answers.
    """
    fleet.receipt_clock = source.recorded
    _take_snapshot(source, fleet)
    while source.behind:
        fleet.feed(*source.receive(0.0))
    for _ in range(RECEIVES_AT_JOIN):
        frames, received_ns = source.receive(0.0)
        if not frames:
            return
        fleet.feed(frames, received_ns)


def skip_to_snapshot(source: LiveSource, fleet: FleetState) -> None:
    """Replace long unread history by a snapshot, for viewers that need the fleet and not each event.

    So a viewer that was stopped for a while is up to date as soon as a new one. Raises AddressError.
    """
    known_bytes = source.offset + source.unread_bytes
    # A hub that has no time to fold has nothing newer so soon.
    if min(source.unread_bytes, known_bytes - source.snapshot_size_bytes) >= SNAPSHOT_FROM_BYTES:
        _take_snapshot(source, fleet)


def follow_live(
    source: LiveSource, fleet: FleetState, clock: Clock, stopped: Callable[[], object]
) -> Iterator[list[bytes]]:
    """Feed the fleet until its run ends or `stopped` returns true; yields the frames after each receive.

    While events are missing, the history is read on every half second. A bus that is silent for 2 s must prove
    that its hub is alive; otherwise AddressError is raised. Frames that arrive twice are yielded twice.
    """
    fleet.receipt_clock = source.recorded
    checked_ns = received_ns = clock.mono_ns()
    finished_ns: int | None = None
    while not stopped():
        frames, recorded_ns = source.receive(RECEIVE_SECONDS)
        fleet.feed(frames, recorded_ns)
        yield frames
        now_ns = clock.mono_ns()
        if frames:
            received_ns = now_ns
        elif now_ns - received_ns > SILENT_AFTER_NS:
            source.prove_alive()
            received_ns = now_ns
        if fleet.finished:
            finished_ns = now_ns if finished_ns is None else finished_ns
            # Missing events are requested once more; after that the run ends without them.
            if not _misses_events(fleet, source) or now_ns - finished_ns > MAX_WAIT_AT_END_NS:
                return
        if now_ns - checked_ns > GAP_CHECK_NS:
            checked_ns = now_ns
            # What the hub had counted at the last check has had time to arrive.
            if _misses_events(fleet, source):
                source.resume_history()
            source.poll_hub_count()


def _misses_events(fleet: FleetState, source: LiveSource) -> bool:
    """Return whether known events have not arrived: there is a gap, or the hub has recorded more."""
    totals = fleet.get_totals()
    return totals["events_lost"] > 0 or totals["events_received"] < source.events_on_record


def _take_snapshot(source: LiveSource, fleet: FleetState) -> None:
    """Replace the fleet by the source's snapshot, if that covers more than what has been read and received live.

    The hub's fold may be behind what it has forwarded: with it, figures would go back.
    """
    snapshot = source.snapshot()
    if snapshot is None or snapshot.offset <= source.offset:
        return
    loaded = fleet.empty_copy()
    try:
        with all_stays_in_use():
            loaded.load(unpack(snapshot.pieces))
    except SnapshotError:
        return  # made by another version, or no longer kept: read the whole history instead
    if not loaded.includes(fleet):
        return
    fleet.replace_with(loaded)
    source.seek(snapshot.offset)
