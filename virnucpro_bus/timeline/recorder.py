"""Observes the events that a fold accepts, and makes a timeline of them when all were folded."""

from __future__ import annotations

from collections.abc import Iterable

from virnucpro_bus import events as ev
from virnucpro_bus.events.vocabulary import CaptureHole
from virnucpro_bus.fold.host_fold import HostFold
from virnucpro_bus.timeline.assembly import Assembly, CollectedEvents
from virnucpro_bus.timeline.observers import Observers
from virnucpro_bus.timeline.sample_recorder import SampleRecorder
from virnucpro_bus.timeline.timeline import Timeline


class TimelineRecorder:
    """Collects the events of which a timeline is made. For one thread.

    Events may come in any order; each once, with its time on its host's axis, as a fleet passes them to observers.
    """

    def __init__(self) -> None:
        self._events = CollectedEvents()
        self._samples = SampleRecorder()

    def observers(self) -> Observers:
        """What the fleet is to pass on, for `observed_by`."""
        events = self._events
        return {
            ev.FilesAssigned: self._add_sizes,
            ev.FileStarted: self._add_begun,
            ev.FileCompleted: events.ended.append,
            ev.FileFailed: events.ended.append,
            ev.WorkerLost: events.lost.append,
            ev.WorkStolen: events.steals.append,
            ev.QueueDepths: events.depths.append,
            ev.RunStarted: events.announced.append,
            ev.RunFinished: self._add_finished,
            ev.Notice: events.notices.append,
            ev.GpuSampled: self._samples.add,
            CaptureHole: self._add_hole,
        }

    def finish(self, hosts: Iterable[HostFold]) -> Timeline:
        """Return the timeline. `hosts` have folded all events. To be called once."""
        self._events.samples = self._samples.columns()
        return Assembly(self._events, hosts).timeline()

    def _add_sizes(self, envelope: ev.Envelope) -> None:
        sizes = self._events.sizes.setdefault(envelope.host, {})
        for each in envelope.event.files:
            if sizes.setdefault(each.file, each.size_bytes) != each.size_bytes:
                sizes[each.file] = None

    def _add_begun(self, envelope: ev.Envelope) -> None:
        key, begun = (envelope.host, envelope.source, envelope.epoch), self._events.begun
        known = begun.get(key)
        if known is None or envelope.seq > known.seq:
            begun[key] = envelope

    def _add_finished(self, envelope: ev.Envelope) -> None:
        self._events.finished[envelope.host, envelope.source, envelope.epoch] = envelope

    def _add_hole(self, envelope: ev.Envelope) -> None:
        self._events.unrecorded_frames += envelope.event.frames
