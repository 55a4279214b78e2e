"""What one source has said in one epoch, and what follows from it whatever the order in which it arrived."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from virnucpro_bus.effect.work_log import Steal
from virnucpro_bus.events.envelope import Envelope
from virnucpro_bus.events.sequence import SequenceTracker
from virnucpro_bus.events.vocabulary import STARTING, Count, FileProgress, FileStarted, Heartbeat
from virnucpro_bus.fold.windows import Span


class Counts(NamedTuple):
    """A stream's cumulative counters."""

    completed: int
    failed: int
    sequences: int
    stolen: int


# Set with every event, which a plain class does four times as fast as a Struct.
@dataclass(slots=True, eq=False)
class Stream:
    """One source in one epoch. Whatever is "the latest" is decided by seq. Not thread-safe."""

    seen: SequenceTracker = field(default_factory=SequenceTracker)
    device_key: str = ""
    """The device that the source works on; "" for a source that is not a worker, or not known yet."""
    heard_ns: Count = 0
    completed: Count = 0
    failed: Count = 0
    sequences: Count = 0
    stolen: Count = 0
    state: str = STARTING
    state_seq: Count = 0
    task: FileStarted | None = None
    """The file in hand while `state` is "busy", begun at `since_ns`."""
    since_ns: Count = 0
    progress: FileProgress | None = None
    progress_seq: Count = 0
    lost: bool = False
    lost_ns: Count = 0
    """When the launcher said so."""
    last_steal: Steal | None = None
    last_steal_seq: Count = 0
    pending_steal: Steal | None = None
    """A steal that only the launcher has reported, because the worker died before it could."""
    beat_times: tuple[Count, Count] = (0, 0)
    """When the last heartbeat was sent, by the host's monotonic and its wall clock."""
    _beat: Heartbeat | None = None
    _beat_seq: Count = 0
    up_ns: Count | None = None
    """When it first said that it can do files; None before that."""

    def now(self, seq: int, state: str) -> None:
        """From event `seq` on the worker is in `state`, with no file in hand."""
        if seq > self.state_seq:
            self.state_seq, self.state = seq, state

    def beat(self, envelope: Envelope) -> None:
        """Take over what a heartbeat tells."""
        if envelope.seq > self._beat_seq:
            self._beat_seq, self._beat = envelope.seq, envelope.event
            self.beat_times = (envelope.mono_ns, envelope.wall_ns)
        if envelope.event.state != STARTING and (self.up_ns is None or envelope.mono_ns < self.up_ns):
            self.up_ns = envelope.mono_ns

    def counts(self) -> Counts:
        """What was seen, or what the last heartbeat says where that is more: totals heal what was missed."""
        stolen = self.stolen + (self.pending_steal is not None)
        beat = self._beat
        if beat is None:
            return Counts(self.completed, self.failed, self.sequences, stolen)
        return Counts(
            max(self.completed, beat.files_completed),
            max(self.failed, beat.files_failed),
            max(self.sequences, beat.sequences),
            max(stolen, beat.steals),
        )

    @property
    def beats(self) -> bool:
        """Whether it has ever sent a heartbeat; only then does silence mean something."""
        return self._beat is not None

    @property
    def busy(self) -> bool:
        """Whether a file is in hand."""
        return self.state == "busy" and not self.lost

    @property
    def live(self) -> bool:
        """Whether the worker may still do something."""
        return not self.lost and self.state != "stopped"

    @property
    def file(self) -> str:
        """The name of the file in hand; "" for none."""
        return self.task.file if self.busy and self.task is not None else ""

    def in_hand(self, now_ns: int) -> Span | None:
        """The file in hand with the sequences done so far; None when the worker has not told of any."""
        task, progress = self.task, self.progress
        # The file alone does not tell: where nobody counts attempts, it may have been begun again since.
        if not self.busy or task is None or progress is None or self.progress_seq < self.state_seq:
            return None
        if (progress.file, progress.attempt) != (task.file, task.attempt):
            return None
        return Span(now_ns, self.since_ns, progress.sequences)
