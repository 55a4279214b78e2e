"""Observes the events that a fold accepts, and makes a timeline of them when all were folded."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

from virnucpro_bus import events as ev
from virnucpro_bus.clock import NANOSECONDS
from virnucpro_bus.events.host_time import NEVER_COMPARED, when
from virnucpro_bus.events.vocabulary import CaptureHole
from virnucpro_bus.fold.host_fold import HostFold
from virnucpro_bus.fold.stream import Stream
from virnucpro_bus.timeline.observers import Observers
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

_StreamKey = tuple[str, str, int]
"""Host, source and epoch."""
_Lease = tuple[str, str, str, int]
"""Host, device, file and attempt."""
SAMPLES_AT_ONCE = 500
"""How many samples are put into columns together: so few are still in the processor's cache."""


class TimelineRecorder:
    """Collects the events of which a timeline is made. For one thread.

    Events may come in any order; each once, with its time on its host's axis, as a fleet passes them to observers.
    """

    def __init__(self) -> None:
        self._ended: list[ev.Envelope] = []
        self._begun: dict[_StreamKey, ev.Envelope] = {}
        """The last attempt that each worker has started."""
        self._started: list[ev.Envelope] = []
        self._lost: list[ev.Envelope] = []
        self._steals: list[ev.Envelope] = []
        self._depths: list[ev.Envelope] = []
        self._announced: list[ev.Envelope] = []
        self._finished: dict[_StreamKey, ev.Envelope] = {}
        self._notices: list[ev.Envelope] = []
        self._fresh: list[ev.Envelope] = []
        """Samples that are not yet in columns."""
        self._samples: defaultdict[DeviceKey, SampleColumns] = defaultdict(SampleColumns)
        self._sizes: dict[tuple[str, str], int | None] = {}
        self._unrecorded_frames = 0

    def observers(self) -> Observers:
        """What the fleet is to pass on, for FleetState."""
        return {
            ev.FilesAssigned: self._add_sizes,
            ev.FileStarted: self._add_begun,
            ev.FileCompleted: self._ended.append,
            ev.FileFailed: self._ended.append,
            ev.WorkerStarted: self._started.append,
            ev.WorkerLost: self._lost.append,
            ev.WorkStolen: self._steals.append,
            ev.QueueDepths: self._depths.append,
            ev.RunStarted: self._announced.append,
            ev.RunFinished: self._add_finished,
            ev.Notice: self._notices.append,
            ev.GpuSampled: self._add_sample,
            CaptureHole: self._add_hole,
        }

    def _add_sizes(self, envelope: ev.Envelope) -> None:
        for each in envelope.event.files:
            file = envelope.host, each.file
            self._sizes[file] = (
                each.size_bytes if self._sizes.get(file, each.size_bytes) == each.size_bytes else None
            )

    def _add_begun(self, envelope: ev.Envelope) -> None:
        key = envelope.host, envelope.source, envelope.epoch
        known = self._begun.get(key)
        if known is None or envelope.seq > known.seq:
            self._begun[key] = envelope

    def _add_finished(self, envelope: ev.Envelope) -> None:
        self._finished[envelope.host, envelope.source, envelope.epoch] = envelope

    def _add_sample(self, envelope: ev.Envelope) -> None:
        self._fresh.append(envelope)
        if len(self._fresh) >= SAMPLES_AT_ONCE:
            self._condense()

    def _condense(self) -> None:
        """Put the samples so far into columns."""
        by_device: defaultdict[DeviceKey, list[ev.Envelope]] = defaultdict(list)
        for envelope in self._fresh:
            by_device[envelope.host, envelope.event.device.key].append(envelope)
        for key, samples in by_device.items():
            self._samples[key].add(samples)
        self._fresh.clear()

    def _add_hole(self, envelope: ev.Envelope) -> None:
        self._unrecorded_frames += envelope.event.frames

    def finish(self, hosts: Iterable[HostFold]) -> Timeline:
        """Return the timeline. `hosts` have folded all events. To be called once."""
        self._condense()
        folds = {fold.host: fold for fold in hosts}
        offsets = {host: _offset_ns(fold) for host, fold in folds.items()}
        for (host, _), columns in self._samples.items():
            columns.settle(offsets[host])
        streams = {
            (host, source, epoch): stream
            for host, fold in folds.items()
            for source, epoch, stream in fold.streams()
        }
        steals = sorted(set(self._all_steals(offsets)))
        victims = {(each.host, each.thief, each.file, each.attempt): each.victim for each in steals}
        attempts = [
            *self._ended_attempts(offsets, victims),
            *self._unended_attempts(folds, streams, offsets, victims),
        ]
        return Timeline(
            attempts=sorted(attempts, key=lambda each: (each.end_ns, each)),
            steals=steals,
            loading=sorted(self._loading(streams, offsets), key=lambda each: each.start_ns),
            losses=sorted((_loss(each, offsets[each.host]) for each in self._lost), key=_in_order),
            depths=sorted(_depth(each, offsets[each.host]) for each in self._depths),
            sessions=sorted(self._sessions(folds, streams, offsets), key=lambda each: each.start_ns),
            notices=sorted(
                TimedNotice(each.mono_ns + offsets[each.host], each.host, each.event.text)
                for each in self._notices
            ),
            samples=dict(self._samples),
            devices={(host, device.key): device for host, fold in folds.items() for device in fold.devices()},
            sizes=self._sizes,
            unrecorded_frames=self._unrecorded_frames,
        )

    def _all_steals(self, offsets: Mapping[str, int]) -> Iterator[TimedSteal]:
        for envelope in self._steals:
            event = envelope.event
            at_ns = when(event.stolen_at_ns, envelope) + offsets[envelope.host]
            yield TimedSteal(at_ns, envelope.host, event.thief, event.victim, event.file, event.attempt)
        told = {(each.host, each.event.thief, each.event.file, each.event.attempt) for each in self._steals}
        for envelope in self._lost:
            # A worker that died before it could report its steal: the launcher reports it.
            event, host = envelope.event, envelope.host
            lease = host, event.device, event.file, event.attempt
            if event.stolen_from is not None and event.file is not None and lease not in told:
                at_ns = when(event.stolen_at_ns, envelope) + offsets[host]
                yield TimedSteal(at_ns, host, event.device, event.stolen_from, event.file, event.attempt)

    def _ended_attempts(self, offsets: Mapping[str, int], victims: Mapping[_Lease, str]) -> Iterator[Attempt]:
        """The attempts whose end their worker has reported."""
        void = {
            (
                each.host,
                each.event.source,
                each.event.epoch,
                each.event.file,
                each.event.attempt,
            ): each.event.reason
            for each in self._lost
        }
        for envelope in self._ended:
            event, host = envelope.event, envelope.host
            end_ns = envelope.mono_ns + offsets[host]
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

    def _unended_attempts(
        self,
        folds: Mapping[str, HostFold],
        streams: Mapping[_StreamKey, Stream],
        offsets: Mapping[str, int],
        victims: Mapping[_Lease, str],
    ) -> Iterator[Attempt]:
        """The attempts whose end no worker has reported."""
        last_ended: dict[_StreamKey, int] = {}
        for envelope in self._ended:
            key = envelope.host, envelope.source, envelope.epoch
            last_ended[key] = max(last_ended.get(key, 0), envelope.seq)
        lost = {(each.host, each.event.source, each.event.epoch): each.event.reason for each in self._lost}
        for key, begun in self._begun.items():
            if last_ended.get(key, 0) > begun.seq:
                continue
            host, stream, event = begun.host, streams[key], begun.event
            outcome: Outcome
            if key in lost:
                outcome, end_ns = "lost", stream.lost_ns
            elif folds[host].is_over or stream.heard_ns < (folds[host].started_ns or 0):
                outcome, end_ns = "broken off", stream.heard_ns
            else:
                outcome, end_ns = "running", folds[host].last_ns
            end_ns = max(end_ns, begun.mono_ns)
            yield Attempt(
                host=host,
                device=event.device,
                file=event.file,
                attempt=event.attempt,
                start_ns=begun.mono_ns + offsets[host],
                end_ns=end_ns + offsets[host],
                outcome=outcome,
                wall_ns=begun.wall_ns + end_ns - begun.mono_ns,
                duration_seconds=(end_ns - begun.mono_ns) / NANOSECONDS,
                sequences=None,
                reason=lost.get(key, ""),
                stolen_from=victims.get((host, event.device, event.file, event.attempt)),
            )

    def _loading(self, streams: Mapping[_StreamKey, Stream], offsets: Mapping[str, int]) -> Iterator[Loading]:
        for envelope in self._started:
            key = envelope.host, envelope.source, envelope.epoch
            stream, offset_ns = streams[key], offsets[envelope.host]
            ready_ns = stream.up_ns
            if ready_ns is None and key in self._begun:
                ready_ns = envelope.mono_ns  # it has worked without a heartbeat: when it was ready is unknown
            end_ns = stream.heard_ns if ready_ns is None else ready_ns
            yield Loading(
                envelope.host,
                envelope.event.device.key,
                envelope.mono_ns + offset_ns,
                max(envelope.mono_ns, end_ns) + offset_ns,
                ready_ns is not None,
            )

    def _sessions(
        self, folds: Mapping[str, HostFold], streams: Mapping[_StreamKey, Stream], offsets: Mapping[str, int]
    ) -> Iterator[Session]:
        last = {each.host: each.epoch for each in sorted(self._announced, key=lambda each: each.epoch)}
        for envelope in self._announced:
            key = host, _, epoch = envelope.host, envelope.source, envelope.epoch
            finished, offset_ns = self._finished.get(key), offsets[host]
            if finished is not None:
                end_ns = finished.mono_ns
            elif epoch == last[host] and not folds[host].is_over:
                end_ns = folds[host].last_ns
            else:
                end_ns = streams[key].heard_ns
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


def _depth(envelope: ev.Envelope, offset_ns: int) -> Depth:
    return Depth(envelope.mono_ns + offset_ns, envelope.host, sum(envelope.event.depths.values()))
