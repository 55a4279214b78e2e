"""Observes the events that a fold accepts, and makes a timeline of them when all were folded."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from virnucpro_bus import events as ev
from virnucpro_bus.events.vocabulary import CaptureHole
from virnucpro_bus.fold.host_fold import HostFold
from virnucpro_bus.timeline.assembly import Assembly, CollectedEvents
from virnucpro_bus.timeline.observers import Observers
from virnucpro_bus.timeline.sample_columns import SampleColumns
from virnucpro_bus.timeline.timeline import DeviceKey, Timeline

SAMPLES_AT_ONCE = 500
"""How many samples are put into columns together: so few are still in the processor's cache."""


class TimelineRecorder:
    """Collects the events of which a timeline is made. For one thread.

    Events may come in any order; each once, with its time on its host's axis, as a fleet passes them to observers.
    """

    def __init__(self) -> None:
        self._events = CollectedEvents()
        self._fresh: list[ev.Envelope] = []
        """Samples that are not yet in columns."""

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
            ev.GpuSampled: self._add_sample,
            CaptureHole: self._add_hole,
        }

    def finish(self, hosts: Iterable[HostFold]) -> Timeline:
        """Return the timeline. `hosts` have folded all events. To be called once."""
        self._condense()
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
            self._events.samples.setdefault(key, SampleColumns()).add(samples)
        self._fresh.clear()

    def _add_hole(self, envelope: ev.Envelope) -> None:
        self._events.unrecorded_frames += envelope.event.frames
