"""A replay and the fold of it that is looked at: exact wherever the replay is moved to."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from virnucpro_bus.clock import Clock
from virnucpro_bus.events.codec import Foreign, decode_all
from virnucpro_bus.events.envelope import Envelope
from virnucpro_bus.events.render import kind_of
from virnucpro_bus.fold.fleet import FleetState
from virnucpro_bus.sources.replay import Replay

TURN_SECONDS = 0.1
_LEFT_OUT = object()


class Playback:
    """Folds what a replay hands out. One thread owns it; `fleet` is for any thread to look at.

    Where the replay begins again, the fold up to where it goes is made out of sight and shown when it is whole.
    """

    def __init__(self, replay: Replay, kinds: frozenset[str] | None = None, interval_seconds: float = 2.0) -> None:
        """`kinds` are those that count, as they are on the wire; None is all.

        Events of other kinds are noted as received, so that they are not taken for lost. `interval_seconds` is as
        for FleetState.
        """
        self.replay = replay
        self.fleet = FleetState(replay, interval_seconds=interval_seconds)
        self._kinds = kinds
        self._made: FleetState = self.fleet
        self._starts = 0

    def run(self, stopped: Callable[[], object]) -> None:
        """Play until the end, or until `stopped`, asked about ten times a second, says so."""
        while not (stopped() or self.replay.ended):
            self.step(TURN_SECONDS)

    def catch_up(self) -> None:
        """Fold at once what comes before the replay's place."""
        while self.replay.catching_up:
            self.step(0.0)

    def step(self, timeout_seconds: float) -> None:
        """Fold what is due, waiting at most so long for it."""
        frames, received_ns = self.replay.receive(timeout_seconds)
        if self.replay.starts != self._starts:
            self._starts = self.replay.starts
            self._made = self.fleet.empty_copy()
        self._fold(frames, received_ns)
        if self._made is not self.fleet and not self.replay.catching_up:
            self.fleet.replace_with(self._made)
            self._made = self.fleet

    def _fold(self, frames: list[bytes], received_ns: int | None) -> None:
        if self._kinds is None:
            self._made.feed(frames, received_ns)
            return
        for envelope in decode_all(frames, self._made.refused):
            counts = kind_of(envelope) in self._kinds
            self._made.apply(envelope if counts else _counted_only(envelope), received_ns)


def _counted_only(envelope: Envelope | Foreign) -> Foreign:
    """The same event without what it says; a fold notes that it has come, and no more."""
    return Foreign(
        kind=kind_of(envelope),
        version=envelope.version,
        run=envelope.run,
        host=envelope.host,
        source=envelope.source,
        epoch=envelope.epoch,
        seq=envelope.seq,
        wall_ns=envelope.wall_ns,
        mono_ns=envelope.mono_ns,
        body=None,
        event=_LEFT_OUT,
    )


def fold_capture(
    path: Path, clock: Clock, until_seconds: float | None = None, interval_seconds: float = 2.0
) -> FleetState:
    """The state at the end of a capture, or so many seconds after its start; `interval_seconds` as for FleetState.

    Raises CaptureError.
    """
    replay = Replay(path, clock, rate=None, until_seconds=until_seconds)
    fleet = FleetState(replay, interval_seconds=interval_seconds)
    while not replay.ended:
        fleet.feed(*replay.receive(0.0))
    return fleet
