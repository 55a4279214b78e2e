"""Feeds a fold from a replay, so that it is exact at every position to which the replay is moved."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from virnucpro_bus.capture.growth import BROKEN_OFF, CUT_SHORT
from virnucpro_bus.clock import Clock
from virnucpro_bus.events.codec import Foreign, decode_all
from virnucpro_bus.events.envelope import Envelope
from virnucpro_bus.events.kinds import KIND_OF
from virnucpro_bus.events.render import kind_of
from virnucpro_bus.events.run_events import RunFinished
from virnucpro_bus.fold.fleet import FleetState
from virnucpro_bus.fold.host_fold import Handlers
from virnucpro_bus.sources.replay import Replay

RECEIVE_SECONDS = 0.1
_OMITTED = object()


class Playback:
    """Folds what a replay returns. One thread steps it; any thread may read `fleet`.

    When the replay starts over, a second fold is built and replaces the visible one when it has caught up. A run
    that is not over at the end of a capture that does not grow is broken off there.
    """

    def __init__(
        self,
        replay: Replay,
        kinds: frozenset[str] | None = None,
        interval_seconds: float = 2.0,
        handlers: Handlers | None = None,
        observe: Callable[[Sequence[Envelope | Foreign]], object] | None = None,
    ) -> None:
        """`kinds` are the kinds to fold, as they are on the wire; None is all. `interval_seconds`: see FleetState.

        Events of other kinds are counted as received, so that they do not appear as lost. `handlers`, `observe`:
        see FleetState; what observes is for a replay that is not started over.
        """
        self.replay = replay
        self.fleet = FleetState(replay, interval_seconds=interval_seconds, handlers=handlers, observe=observe)
        self._kinds = kinds
        self._building: FleetState = self.fleet
        """The fold that is fed; another one than `fleet` until it has caught up."""
        self._starts = 0

    def run(self, stopped: Callable[[], object]) -> None:
        """Play until the end, or until `stopped`, called about ten times a second, returns true."""
        while not (stopped() or self.replay.ended):
            self.step(RECEIVE_SECONDS)

    def catch_up(self) -> None:
        """Fold at once the events before the replay's position."""
        while self.replay.catching_up:
            self.step(0.0)

    def step(self, timeout_seconds: float) -> None:
        """Fold the events that are due, waiting at most `timeout_seconds` for the first."""
        frames, received_ns = self.replay.receive(timeout_seconds)
        if self.replay.starts != self._starts:
            self._starts = self.replay.starts
            self._building = self.fleet.empty_copy()
        self._fold(frames, received_ns)
        self._break_off_at_end()
        if self._building is not self.fleet and not self.replay.catching_up:
            self.fleet.replace_with(self._building)
            self._building = self.fleet

    def _fold(self, frames: list[bytes], received_ns: list[int]) -> None:
        if self._kinds is None:
            self._building.feed(frames, received_ns)
            return
        for frame, at_ns in zip(frames, received_ns, strict=True):
            for envelope in decode_all([frame], self._building.refused):
                is_wanted = kind_of(envelope) in self._kinds
                self._building.apply(envelope if is_wanted else _without_content(envelope), at_ns)

    @property
    def ending_note(self) -> str | None:
        """What to report of a run whose end is not recorded; None before the end, and where nothing is missing."""
        if self.fleet.is_broken_off or self._is_of_killed_hub:
            return BROKEN_OFF
        is_cut = self.replay.is_exhausted and not self.replay.is_of_run_folder
        return CUT_SHORT if is_cut and self.fleet.has_unfinished_run else None

    @property
    def _is_of_killed_hub(self) -> bool:
        """Whether it has been read to its end, which no event reports though no run was announced."""
        return self.replay.is_exhausted and not self.fleet.finished and self.replay.hub_was_killed

    def _break_off_at_end(self) -> None:
        # Without the events that end runs, each would seem to be broken off.
        if self.replay.is_exhausted and (self._kinds is None or KIND_OF[RunFinished] in self._kinds):
            fleet = self._building
            if not fleet.finished and not self.replay.may_continue():
                fleet.break_off()


def fold_capture(
    path: Path, clock: Clock, until_seconds: float | None = None, interval_seconds: float = 2.0
) -> FleetState:
    """Fold a capture, or its first `until_seconds`. Raises CaptureError. `interval_seconds`: see FleetState."""
    playback = Playback(Replay(path, clock, None, until_seconds=until_seconds), interval_seconds=interval_seconds)
    playback.run(lambda: False)
    return playback.fleet


def _without_content(envelope: Envelope | Foreign) -> Foreign:
    """Return the same event without its fields: a fold counts it as received, and no more."""
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
        event=_OMITTED,
    )
