"""The state of one source in one epoch, as its events report it, whatever the order in which they arrived."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Annotated, Literal, NamedTuple

from msgspec import Meta

from virnucpro_bus.effect.shares import Load
from virnucpro_bus.effect.work_log import Steal
from virnucpro_bus.events.envelope import Envelope
from virnucpro_bus.events.sequence import SequenceTracker
from virnucpro_bus.events.vocabulary import MAX_COUNT, STARTING, Count, FileProgress, FileStarted, Heartbeat
from virnucpro_bus.fold.windows import Span
from virnucpro_bus.metrics import SourceCounts
from virnucpro_bus.samples.process_figures import UsageSample, add_usage

UNPLACED = -1
State = Literal["starting", "loading", "idle", "busy", "stopped"]


class Counts(NamedTuple):
    """A stream's cumulative counters."""

    completed: int
    failed: int
    sequences: int
    stolen: int


# Every event sets some of its fields, which is four times as fast with a plain class as with a Struct.
@dataclass(slots=True, eq=False)
class Stream:
    """One source in one epoch. Which event is the latest is decided by seq. Not thread-safe.

    Times are on the host's axis of time (`host_time.py`).
    """

    seen: SequenceTracker = field(default_factory=SequenceTracker)
    base_ns: Annotated[int, Meta(ge=UNPLACED, le=MAX_COUNT)] = UNPLACED
    """What is added to the monotonic times of its events (`host_time.py`); UNPLACED before the first event."""
    device_key: str = ""
    """The device that the source works on; "" for a source that is not a worker, or while it is unknown."""
    heard_ns: Count = 0
    """When its newest event was published."""
    completed: Count = 0
    failed: Count = 0
    sequences: Count = 0
    stolen: Count = 0
    state: State = STARTING
    """As its start, its files and its end show it; `reported_state` is by its heartbeats too."""
    state_seq: Count = 0
    """The seq of the event that set `state`."""
    task: FileStarted | None = None
    """The file in progress while `state` is "busy", started at `since_ns`."""
    since_ns: Count = 0
    progress: FileProgress | None = None
    progress_seq: Count = 0
    is_lost: bool = False
    """Whether the launcher has reported the worker's death."""
    lost_ns: Count = 0
    """When the launcher reported it."""
    last_steal: Steal | None = None
    last_steal_seq: Count = 0
    pending_steal: Steal | None = None
    """A steal that only the launcher has reported, because the worker died before it could."""
    heartbeat_times: tuple[Count, Count] = (0, 0)
    """When the last heartbeat was sent, on the axis and by the host's wall clock; zeros before the first."""
    _heartbeat: Heartbeat | None = None
    _heartbeat_seq: Count = 0
    up_ns: Count | None = None
    """When it first reported being ready for files; None before that."""
    progress_ns: Count = 0
    """When `progress` was published."""
    loads: bool = False
    """Whether it has reported that it loads its job before it is ready …"""
    started_ns: Count | None = None
    """… and when it was started; None: unknown."""
    has_worked: bool = False
    """Whether any event of a file was received from it, in whatever order."""
    usages: list[UsageSample] = field(default_factory=list)
    """What its process used, as its latest heartbeats report it, in their order."""

    def start(self, envelope: Envelope) -> None:
        """Set when it was started, and whether it loads its job first."""
        if self.started_ns is None or envelope.mono_ns < self.started_ns:
            self.started_ns = envelope.mono_ns
        self.loads = self.loads or envelope.event.is_loading
        self.set_state(envelope.seq, "loading" if envelope.event.is_loading else "idle")

    def set_state(self, seq: int, state: State) -> None:
        """Set the worker's state from event `seq` on, without a file in progress."""
        if seq > self.state_seq:
            self.state_seq, self.state = seq, state

    def add_heartbeat(self, envelope: Envelope) -> None:
        """Keep a heartbeat if it is the latest, and its time if it is the first of a worker that is ready."""
        if envelope.seq > self._heartbeat_seq:
            self._heartbeat_seq, self._heartbeat = envelope.seq, envelope.event
            self.heartbeat_times = (envelope.mono_ns, envelope.wall_ns)
        add_usage(self.usages, envelope.seq, envelope.mono_ns, envelope.event)
        if envelope.event.state == STARTING:
            self.loads = True
        elif self.up_ns is None or envelope.mono_ns < self.up_ns:
            self.up_ns = envelope.mono_ns

    def counts(self) -> Counts:
        """The counts of received events, or those of the last heartbeat where they are greater.

        So the counters are right again after lost events.
        """
        stolen = self.stolen + (self.pending_steal is not None)
        heartbeat = self._heartbeat
        if heartbeat is None:
            return Counts(self.completed, self.failed, self.sequences, stolen)
        return Counts(
            max(self.completed, heartbeat.files_completed),
            max(self.failed, heartbeat.files_failed),
            max(self.sequences, heartbeat.sequences),
            max(stolen, heartbeat.steals),
        )

    def source_counts(self, host: str, source: str, epoch: int) -> SourceCounts:
        """How many of its events were published, received and lost; a stream does not know what it is called."""
        published, received, lost = self.seen.published, self.seen.received, self.seen.lost
        return SourceCounts(
            host=host, source=source, epoch=epoch, published=published, received=received, lost=lost
        )

    @property
    def reported_state(self) -> State:
        """Its state as the latest of its events show it, heartbeats included.

        Without a file in progress it loads until the first heartbeat of a worker that is ready. Workers of earlier
        versions report that they load by heartbeats alone, and whose start was lost is known by them too.
        """
        if self.state in ("busy", "stopped"):
            return self.state
        if self.up_ns is None:
            return "loading" if self._heartbeat_seq > self.state_seq else self.state
        return "idle" if self.state in (STARTING, "loading") else self.state

    @property
    def was_ready(self) -> bool:
        """Whether it has ever been ready for files."""
        return self.up_ns is not None or self.has_worked

    @property
    def is_or_was_ready(self) -> bool:
        """Whether it is ready for files, or has ever been: also of a worker that loads nothing, from its start."""
        return self.was_ready or (self.state_seq > 0 and self.reported_state in ("idle", "busy"))

    @property
    def is_loading(self) -> bool:
        """Whether it still loads its job."""
        return self.is_live and self.reported_state == "loading"

    def load(self, now_ns: int) -> Load | None:
        """How it has loaded its job, or does; None: it never reported that, or unknown."""
        end_ns = self.load_end_ns(now_ns)
        if end_ns is None or self.started_ns is None:
            return None
        return Load(self.device_key, self.started_ns, max(self.started_ns, end_ns), self.up_ns is not None)

    def load_end_ns(self, now_ns: int) -> int | None:
        """Until when it has loaded its job: `now_ns` while it does; None: it never reported that, or unknown.

        A worker that ended before it was ready was loading until it was last heard. Of one that has worked without
        a heartbeat it is unknown.
        """
        if not self.loads or self.up_ns is not None:
            return self.up_ns if self.loads else None
        if self.is_loading:
            return now_ns
        return None if self.has_worked or self.reported_state == "idle" else self.heard_ns

    @property
    def has_heartbeat(self) -> bool:
        """Whether it has ever sent a heartbeat; only then silence is a problem."""
        return self._heartbeat is not None

    @property
    def is_busy(self) -> bool:
        """Whether it has a file in progress."""
        return self.state == "busy" and not self.is_lost

    @property
    def is_live(self) -> bool:
        """Whether the worker can still work: it has neither stopped nor died."""
        return not self.is_lost and self.state != "stopped"

    @property
    def file(self) -> str:
        """The name of the file in progress; "" without one."""
        return self.task.file if self.is_busy and self.task is not None else ""

    def _own_progress(self) -> FileProgress | None:
        """The last progress of the attempt in progress; None if the worker has not reported any."""
        task, progress = self.task, self.progress
        # The name is not enough: where attempts are not counted, the file may have been started again since.
        if not self.is_busy or task is None or progress is None or self.progress_seq < self.state_seq:
            return None
        return progress if (progress.file, progress.attempt) == (task.file, task.attempt) else None

    def in_progress(self, now_ns: int) -> Span | None:
        """The file in progress with the sequences done so far; None if the worker has not reported any."""
        progress = self._own_progress()
        return None if progress is None else Span(now_ns, self.since_ns, progress.sequences)

    @property
    def share_done(self) -> float | None:
        """The share of the file in progress that was done at `progress_ns`, 1 at most; None: not reported."""
        progress = self._own_progress()
        if progress is None or not progress.total:
            return None
        return min(1.0, progress.sequences / progress.total)


def gone_ns(streams: Iterable[tuple[str, int, Stream]]) -> dict[str, int]:
    """When each device whose last worker died lost it, of streams with their source and epoch."""
    last: dict[str, tuple[int, str, int]] = {}
    for source, epoch, stream in streams:
        worker = (epoch, source, stream.lost_ns if stream.is_lost else 0)
        last[stream.device_key] = max(last.get(stream.device_key, worker), worker)
    return {key: lost_ns for key, (_, _, lost_ns) in last.items() if lost_ns}
