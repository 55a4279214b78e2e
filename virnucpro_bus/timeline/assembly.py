"""Makes a timeline of the events that a recorder has collected, and of the folds of the same events. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby

from virnucpro_bus import events as ev
from virnucpro_bus.clock import NANOSECONDS
from virnucpro_bus.events.host_time import NEVER_COMPARED, when
from virnucpro_bus.fold.host_fold import HostFold
from virnucpro_bus.timeline.renaming import with_identities
from virnucpro_bus.timeline.sample_columns import SampleColumns
from virnucpro_bus.timeline.timeline import (
    Attempt,
    Depth,
    DeviceKey,
    Loading,
    Loss,
    Outcome,
    Session,
    TimedNotice,
    TimedSteal,
    Timeline,
)

StreamKey = tuple[str, str, int]
"""Host, source and epoch."""
_Lease = tuple[str, str, str, int]
"""Host, device, file and attempt."""


@dataclass
class CollectedEvents:
    """The events of which a timeline is made, in any order, with their times on the axes of their hosts."""

    ended: list[ev.Envelope] = field(default_factory=list)
    """Completed and failed attempts."""
    begun: dict[StreamKey, ev.Envelope] = field(default_factory=dict)
    """The last attempt that each worker has started."""
    lost: list[ev.Envelope] = field(default_factory=list)
    steals: list[ev.Envelope] = field(default_factory=list)
    depths: list[ev.Envelope] = field(default_factory=list)
    announced: list[ev.Envelope] = field(default_factory=list)
    """Sessions of runs that were started …"""
    finished: dict[StreamKey, ev.Envelope] = field(default_factory=dict)
    """… and their ends."""
    notices: list[ev.Envelope] = field(default_factory=list)
    samples: dict[DeviceKey, SampleColumns] = field(default_factory=dict)
    sizes: dict[str, dict[str, int | None]] = field(default_factory=dict)
    """As in a Timeline."""
    unrecorded_frames: int = 0


class Assembly:
    """Makes one timeline. For one thread."""

    def __init__(self, events: CollectedEvents, hosts: Iterable[HostFold]) -> None:
        """`hosts` have folded all of the events."""
        self._events = events
        self._folds = {fold.host: fold for fold in hosts}
        self._offsets = {host: _offset_ns(fold) for host, fold in self._folds.items()}
        """What is added to times on the axis of each host."""
        self._streams = {
            (host, source, epoch): stream
            for host, fold in self._folds.items()
            for source, epoch, stream in fold.streams()
        }

    def timeline(self) -> Timeline:
        """Return the timeline. To be called once: it moves the samples to their times."""
        events, offsets = self._events, self._offsets
        for (host, _), columns in events.samples.items():
            columns.settle(offsets[host])
        steals = sorted(set(self._all_steals()))
        victims = {(each.host, each.thief, each.file, each.attempt): each.victim for each in steals}
        attempts = [*self._ended_attempts(victims), *self._unended_attempts(victims)]
        timeline = Timeline(
            attempts=sorted(attempts, key=lambda each: (each.end_ns, each)),
            steals=steals,
            loading=sorted(self._loading(), key=lambda each: each.start_ns),
            losses=sorted((_loss(each, offsets[each.host]) for each in events.lost), key=_in_order),
            depths=sorted(self._depths()),
            sessions=sorted(self._sessions(), key=lambda each: each.start_ns),
            notices=sorted(
                TimedNotice(each.mono_ns + offsets[each.host], each.host, each.event.text)
                for each in events.notices
            ),
            samples=events.samples,
            devices={
                (host, device.key): device for host, fold in self._folds.items() for device in fold.devices()
            },
            sizes=events.sizes,
            unrecorded_frames=events.unrecorded_frames,
        )
        identities = {
            (host, key): device for host, fold in self._folds.items() for key, device in fold.identities().items()
        }
        return with_identities(timeline, identities)

    def _all_steals(self) -> Iterator[TimedSteal]:
        for envelope in self._events.steals:
            event = envelope.event
            at_ns = when(event.stolen_at_ns, envelope) + self._offsets[envelope.host]
            yield TimedSteal(at_ns, envelope.host, event.thief, event.victim, event.file, event.attempt)
        told = {(each.host, each.event.thief, each.event.file, each.event.attempt) for each in self._events.steals}
        for envelope in self._events.lost:
            # A worker that died before it could report its steal: the launcher reports it.
            event, host = envelope.event, envelope.host
            lease = host, event.device, event.file, event.attempt
            if event.stolen_from is not None and event.file is not None and lease not in told:
                at_ns = when(event.stolen_at_ns, envelope) + self._offsets[host]
                yield TimedSteal(at_ns, host, event.device, event.stolen_from, event.file, event.attempt)

    def _ended_attempts(self, victims: Mapping[_Lease, str]) -> Iterator[Attempt]:
        """The attempts whose end their worker has reported."""
        void = {
            (
                each.host,
                each.event.source,
                each.event.epoch,
                each.event.file,
                each.event.attempt,
            ): each.event.reason
            for each in self._events.lost
        }
        for envelope in self._events.ended:
            event, host = envelope.event, envelope.host
            end_ns = envelope.mono_ns + self._offsets[host]
            is_completed = isinstance(event, ev.FileCompleted)
            outcome: Outcome = "completed" if is_completed else "failed"
            reason = "" if is_completed else event.reason
            if void:
                lost_because = void.get((host, envelope.source, envelope.epoch, event.file, event.attempt))
                if lost_because is not None:
                    outcome, reason = "lost", lost_because
            # By position, which takes half as long: there is one for each file.
            yield Attempt(
                host,
                event.device,
                event.file,
                event.attempt,
                end_ns - round(event.duration_seconds * NANOSECONDS),
                end_ns,
                outcome,
                envelope.wall_ns,
                event.duration_seconds,
                event.sequences if is_completed else None,
                reason,
                victims.get((host, event.device, event.file, event.attempt)),
            )

    def _unended_attempts(self, victims: Mapping[_Lease, str]) -> Iterator[Attempt]:
        """The attempts whose end no worker has reported."""
        last_ended: dict[StreamKey, int] = {}
        for envelope in self._events.ended:
            key = envelope.host, envelope.source, envelope.epoch
            last_ended[key] = max(last_ended.get(key, 0), envelope.seq)
        lost = {(each.host, each.event.source, each.event.epoch): each.event.reason for each in self._events.lost}
        for key, begun in self._events.begun.items():
            if last_ended.get(key, 0) > begun.seq:
                continue
            host, stream, event = begun.host, self._streams[key], begun.event
            outcome: Outcome
            if key in lost:
                outcome, end_ns = "lost", stream.lost_ns
            elif self._folds[host].is_over or stream.heard_ns < (self._folds[host].started_ns or 0):
                outcome, end_ns = "broken off", stream.heard_ns
            else:
                outcome, end_ns = "running", self._folds[host].last_ns
            end_ns = max(end_ns, begun.mono_ns)
            yield Attempt(
                host=host,
                device=event.device,
                file=event.file,
                attempt=event.attempt,
                start_ns=begun.mono_ns + self._offsets[host],
                end_ns=end_ns + self._offsets[host],
                outcome=outcome,
                wall_ns=begun.wall_ns + end_ns - begun.mono_ns,
                duration_seconds=(end_ns - begun.mono_ns) / NANOSECONDS,
                sequences=None,
                reason=lost.get(key, ""),
                stolen_from=victims.get((host, event.device, event.file, event.attempt)),
            )

    def _loading(self) -> Iterator[Loading]:
        for (host, _, _), stream in self._streams.items():
            if (load := stream.load(stream.heard_ns)) is not None:
                offset_ns = self._offsets[host]
                yield Loading(host, load.device, load.start_ns + offset_ns, load.end_ns + offset_ns, load.is_ready)

    def _depths(self) -> Iterator[Depth]:
        """The pending files after each report, which names the devices whose number has changed."""
        reports = sorted(self._events.depths, key=lambda each: (each.host, each.epoch, each.seq))
        for (host, _), of_session in groupby(reports, key=lambda each: (each.host, each.epoch)):
            files: dict[str, int] = {}
            for envelope in of_session:
                files |= envelope.event.depths
                yield Depth(envelope.mono_ns + self._offsets[host], host, sum(files.values()))

    def _sessions(self) -> Iterator[Session]:
        last = {each.host: each.epoch for each in sorted(self._events.announced, key=lambda each: each.epoch)}
        for envelope in self._events.announced:
            key = host, _, epoch = envelope.host, envelope.source, envelope.epoch
            finished, offset_ns = self._events.finished.get(key), self._offsets[host]
            if finished is not None:
                end_ns = finished.mono_ns
            elif epoch == last[host] and not self._folds[host].is_over:
                end_ns = self._folds[host].last_ns
            else:
                end_ns = self._streams[key].heard_ns
            yield Session(
                start_ns=envelope.mono_ns + offset_ns,
                end_ns=max(envelope.mono_ns, end_ns) + offset_ns,
                host=host,
                run=envelope.run,
                job=envelope.event.job,
                policy=envelope.event.policy,
                exit_code=None if finished is None else finished.event.exit_code,
            )


def _offset_ns(fold: HostFold) -> int:
    """What is added to times on the axis of a host; by its own wall clock if no time of receipt is known."""
    if fold.offset_ns != NEVER_COMPARED:
        return fold.offset_ns
    at_ns, wall_ns = fold.newest_times
    return wall_ns - at_ns


def _loss(envelope: ev.Envelope, offset_ns: int) -> Loss:
    event = envelope.event
    return Loss(envelope.mono_ns + offset_ns, envelope.host, event.device, event.file, event.attempt, event.reason)


def _in_order(loss: Loss) -> tuple[int, str, str, str, int, str]:
    return loss.at_ns, loss.host, loss.device, loss.file or "", loss.attempt, loss.reason
