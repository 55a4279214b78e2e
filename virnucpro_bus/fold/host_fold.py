"""The fold of one host: a handler for each kind of event, which updates the host's state.

Pure and deterministic: no I/O, no clock, no threads. Everything built on it relies on two promises: an event that
is applied twice changes nothing, and a gap that is filled later leads to the same state as delivery in order. So
counters only count events whose (source, epoch, seq) is new, and "the latest" is decided by seq, never by the
order of arrival. In the handlers, `envelope.mono_ns` is on one axis of time for all boots (`host_time.py`).
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable, Iterable, Mapping
from itertools import repeat
from typing import Any

from virnucpro_bus import events as ev
from virnucpro_bus.clock import NANOSECONDS
from virnucpro_bus.effect.work_log import Steal
from virnucpro_bus.events.commits import Commit
from virnucpro_bus.events.envelope import COORDINATOR_SOURCE
from virnucpro_bus.events.host_time import NEVER_COMPARED, UNKNOWN_TIME, AnyEnvelope, moved, when
from virnucpro_bus.events.vocabulary import MAX_COUNT
from virnucpro_bus.fold.device import DeviceState, Reopened
from virnucpro_bus.fold.host_state import MAX_WORKER_RUNS, HostState
from virnucpro_bus.fold.stream import UNPLACED, Stream

RECENT_STEALS = 50
RECENT_NOTICES = 10


class HostFold(HostState, array_like=True):
    """Folds the events of one host into its state. Not thread-safe: its owner is one thread, or holds a lock."""

    def apply(self, envelope: AnyEnvelope, received_ns: int = UNKNOWN_TIME) -> bool:
        """Fold one event. Returns False if it had been folded before."""
        return not self.apply_all((envelope,), (received_ns,))

    def apply_all(
        self,
        envelopes: Iterable[AnyEnvelope],
        times: Iterable[int] = repeat(UNKNOWN_TIME),
        handlers: Handlers | None = None,
    ) -> int:
        """Fold events, received at these times by one clock. Returns how many of them had been folded before.

        `handlers` are by kind of event; None: HANDLERS.
        """
        streams = self._streams
        if handlers is None:
            handlers = HANDLERS
        last_ns, offset_ns = self.last_ns, self.offset_ns
        repeated = 0
        for envelope, at_ns in zip(envelopes, times, strict=False):
            try:
                stream = streams[envelope.source][envelope.epoch]
            except KeyError:
                stream = self._stream(envelope.source, envelope.epoch)
            seen, seq = stream.seen, envelope.seq
            # Nearly every event has the next number: that case does without a call.
            if seq == seen.expected:
                seen.expected = seq + 1
            elif not seen.add(seq):
                repeated += 1
                continue
            # 0 but for the streams of a machine that has restarted: nearly every event is used as it is.
            if stream.base_ns:
                self.last_ns, self.offset_ns = last_ns, offset_ns
                envelope = self._on_the_axis(envelope, stream)
                offset_ns = self.offset_ns
            mono_ns = envelope.mono_ns
            if mono_ns > stream.heard_ns:
                stream.heard_ns = mono_ns
                if mono_ns > last_ns:
                    last_ns = mono_ns
            # It was published before it was received, so no difference is smaller than the true one.
            if at_ns - mono_ns < offset_ns:
                offset_ns = at_ns - mono_ns
            event = envelope.event
            handlers[type(event)](self, event, envelope, stream)
        self.last_ns, self.offset_ns = last_ns, offset_ns
        return repeated

    def _stream(self, source: str, epoch: int) -> Stream:
        return self._streams.setdefault(source, {}).setdefault(epoch, Stream())

    def _on_the_axis(self, envelope: AnyEnvelope, stream: Stream) -> AnyEnvelope:
        """Return the event with its time on the host's axis; by its first event, the stream is placed there."""
        if stream.base_ns == UNPLACED:
            base_ns = self._time.base_ns
            stream.base_ns = self._time.place(envelope, self.last_ns)
            if self._time.base_ns > base_ns:
                self.offset_ns = NEVER_COMPARED
        return moved(envelope, stream.base_ns)

    def _device(self, key: str) -> DeviceState:
        device = self._devices.get(key)
        if device is None:
            device = self._devices[key] = DeviceState(ev.Device(key))
        return device

    def _worker_device(self, key: str, stream: Stream) -> DeviceState:
        """Return the device that a worker's event names, and assign the worker's stream to it."""
        if not stream.device_key:
            stream.device_key = key
        # Nearly always the device is known: that case does without a call.
        return self._devices.get(key) or self._device(key)

    def _run_started(self, event: ev.RunStarted, envelope: ev.Envelope, stream: Stream) -> None:
        for announced in event.devices:
            device = self._device(announced.key)
            device.describe(announced)
            device.is_planned = True
        if (order := (envelope.epoch, envelope.seq)) > self._run_order:
            self._run_order, self.run, self.run_name = order, event, envelope.run
        self._begin_session(envelope)

    def _run_draining(self, event: ev.RunDraining, envelope: ev.Envelope, stream: Stream) -> None:
        if self._enter_session(envelope) and not 0 < self._draining_seq < envelope.seq:
            self.draining, self._draining_seq = event, envelope.seq

    def _run_finished(self, event: ev.RunFinished, envelope: ev.Envelope, stream: Stream) -> None:
        if self._enter_session(envelope) and envelope.mono_ns >= (self._finished_ns or 0):
            self.finished, self._finished_ns = event, envelope.mono_ns

    def _enter_session(self, envelope: ev.Envelope) -> bool:
        """Start a session if the launcher's event is of a later one. Returns whether it is of the last session."""
        if envelope.epoch > self._session:
            self._session = envelope.epoch
            self.finished = self._finished_ns = self.started_ns = self.draining = None
            self._draining_seq = 0
            self._log.assigned = []
            self._joined = {}
        return envelope.epoch == self._session

    def _begin_session(self, envelope: ev.Envelope) -> bool:
        """Do the same with an event of its beginning: the earliest that was received is its start."""
        is_last = self._enter_session(envelope)
        if is_last and (self.started_ns is None or envelope.mono_ns < self.started_ns):
            self.started_ns, self.started_wall_ns = envelope.mono_ns, envelope.wall_ns
        return is_last

    def _files_assigned(self, event: ev.FilesAssigned, envelope: ev.Envelope, stream: Stream) -> None:
        if envelope.source != COORDINATOR_SOURCE:
            device = self._worker_device(event.device, stream)
            self._log.add_own_plan(envelope.mono_ns, device.device.key, event.files)
        elif self._begin_session(envelope):
            self._log.assign(event.device, event.files)

    def _device_joined(self, event: ev.DeviceJoined, envelope: ev.Envelope, stream: Stream) -> None:
        device = self._device(event.device.key)
        device.describe(event.device)
        device.is_planned = True
        if self._enter_session(envelope):
            known_ns = self._joined.get(event.device.key, envelope.mono_ns)
            self._joined[event.device.key] = min(known_ns, envelope.mono_ns)

    def _notice(self, event: ev.Notice, envelope: ev.Envelope, stream: Stream) -> None:
        if envelope.source == COORDINATOR_SOURCE:
            self._enter_session(envelope)  # all that it shows of a hub without a plan that has been resumed
        insort(self._notices, (envelope.epoch, envelope.seq, envelope.wall_ns, envelope.mono_ns, event.text))
        del self._notices[:-RECENT_NOTICES]

    def _worker_started(self, event: ev.WorkerStarted, envelope: ev.Envelope, stream: Stream) -> None:
        device = self._worker_device(event.device.key, stream)
        device.describe(event.device)
        device.count_gpus(event.gpus)
        stream.start(envelope)
        if envelope.run and envelope.run not in self.worker_runs:
            insort(self.worker_runs, envelope.run)
            del self.worker_runs[MAX_WORKER_RUNS:]

    def _worker_stopped(self, event: ev.WorkerStopped, envelope: ev.Envelope, stream: Stream) -> None:
        self._worker_device(event.device, stream)
        stream.set_state(envelope.seq, "stopped")

    def _worker_lost(self, event: ev.WorkerLost, envelope: ev.Envelope, stream: Stream) -> None:
        dead = self._stream(event.source, event.epoch)
        dead.is_lost, dead.lost_ns = True, max(dead.lost_ns, envelope.mono_ns)
        if not dead.device_key:
            dead.device_key = event.device
            self._device(event.device)
        if event.file is not None:
            self._add_failed_attempt(event.file, event.attempt, event.device, event.reason)
        if event.file is not None and event.stolen_from is not None:
            decided_ns = when(event.stolen_at_ns, envelope)
            lease = event.file, event.attempt, event.stolen_at_ns
            steal = Steal(decided_ns, event.device, event.stolen_from, *lease)
            if dead.last_steal is None or not steal.is_same(dead.last_steal):
                dead.pending_steal = steal
                self._add_steal(steal)

    def _heartbeat(self, event: ev.Heartbeat, envelope: ev.Envelope, stream: Stream) -> None:
        if event.device:
            self._worker_device(event.device, stream)
        stream.add_heartbeat(envelope)
        self._time.observe(envelope.wall_ns, envelope.mono_ns - stream.base_ns, stream.base_ns)

    def _file_started(self, event: ev.FileStarted, envelope: ev.Envelope, stream: Stream) -> None:
        if not stream.device_key:
            self._worker_device(event.device, stream)
        seq, stream.has_worked = envelope.seq, True
        if seq > stream.state_seq:
            stream.state_seq, stream.state = seq, "busy"
            stream.task, stream.since_ns = event, envelope.mono_ns

    def _file_progress(self, event: ev.FileProgress, envelope: ev.Envelope, stream: Stream) -> None:
        if not stream.device_key:
            self._worker_device(event.device, stream)
        seq, stream.has_worked = envelope.seq, True
        if seq > stream.progress_seq:
            stream.progress_seq, stream.progress, stream.progress_ns = seq, event, envelope.mono_ns

    def _file_completed(self, event: ev.FileCompleted, envelope: ev.Envelope, stream: Stream) -> None:
        device = self._devices.get(event.device)
        if device is None or not stream.device_key:
            device = self._worker_device(event.device, stream)
        stream.completed += 1
        stream.has_worked = True
        sequences = stream.sequences + event.sequences
        stream.sequences = sequences if sequences < MAX_COUNT else MAX_COUNT
        seq, end_ns = envelope.seq, envelope.mono_ns
        if seq > stream.state_seq:
            stream.state_seq, stream.state = seq, "idle"
        seconds = event.duration_seconds
        device.window.add(end_ns - int(seconds * NANOSECONDS), end_ns, event.sequences)
        # The device's own key: the event's equal string would take memory for every file.
        self._log.complete(event.file, end_ns, seconds, device.device.key)
        device.note_finished(end_ns, envelope.wall_ns)
        completions = self._completions
        if end_ns > completions.newest_ns:
            completions.newest_ns = end_ns
            completions.kept.append(envelope)
        else:
            completions.add_late(envelope)

    def _file_failed(self, event: ev.FileFailed, envelope: ev.Envelope, stream: Stream) -> None:
        device = self._worker_device(event.device, stream)
        stream.has_worked = True
        stream.set_state(envelope.seq, "idle")
        self._add_failed_attempt(event.file, event.attempt, event.device, event.reason)
        self._log.fail(envelope.mono_ns, event.duration_seconds, event.device)
        if event.final:
            stream.failed += 1
            self._add_failed_file(event.file, event.attempt, event.reason, envelope)
        device.note_finished(envelope.mono_ns, envelope.wall_ns)

    def _file_committed(self, event: ev.FileCommitted, envelope: ev.Envelope, stream: Stream) -> None:
        device, epoch = self._devices.get(event.device), envelope.epoch
        # What is known already: the event's equal key and number would take memory for every file.
        key = event.device if device is None else device.device.key
        epoch = self._session if epoch == self._session else epoch
        self._committed.add(event.file, Commit(epoch, envelope.seq, key, event.sequences, is_done=True))

    def _file_quarantined(self, event: ev.FileQuarantined, envelope: ev.Envelope, stream: Stream) -> None:
        self._quarantined += 1
        self._add_failed_file(event.file, event.attempts, event.reason, envelope)

    def _file_reopened(self, event: ev.FileReopened, envelope: ev.Envelope, stream: Stream) -> None:
        self._committed.add(event.file, Commit(envelope.epoch, envelope.seq, event.device, None, is_done=False))
        if not event.completed:
            self._net_failures[event.file] = self._net_failures.get(event.file, 0) - 1
        if event.device:
            device = self._device(event.device)
            reopened = Reopened(int(event.completed), int(not event.completed), event.sequences)
            device.reopened = device.reopened.plus(reopened)
        else:
            self._reopened_quarantined += 1

    def _work_stolen(self, event: ev.WorkStolen, envelope: ev.Envelope, stream: Stream) -> None:
        self._worker_device(event.thief, stream)
        stream.stolen += 1
        decided_ns = when(event.stolen_at_ns, envelope)
        steal = Steal(decided_ns, event.thief, event.victim, event.file, event.attempt, event.stolen_at_ns)
        if envelope.seq > stream.last_steal_seq:
            stream.last_steal, stream.last_steal_seq = steal, envelope.seq
        if stream.pending_steal is not None and steal.is_same(stream.pending_steal):
            # The launcher's report came first and was added; now the worker's own event counts instead.
            self._replace_steal(stream.pending_steal, steal)
            stream.pending_steal = None
        else:
            self._add_steal(steal)

    def _queue_depths(self, event: ev.QueueDepths, envelope: ev.Envelope, stream: Stream) -> None:
        epoch, seq = envelope.epoch, envelope.seq
        if epoch > self._depths_epoch:
            # A session begins by naming all of its devices.
            self._depths_epoch, self._depths = epoch, {}
        for key, depth in event.depths.items():
            self._device(key)
            if epoch == self._depths_epoch and seq > self._depths.get(key, (0, 0))[0]:
                self._depths[key] = seq, depth

    def _gpu_sampled(self, event: ev.GpuSampled, envelope: ev.Envelope, stream: Stream) -> None:
        device = self._device(event.device.key)
        device.describe(event.device)
        device.add_sample(envelope.mono_ns, envelope.seq, event)

    def _unknown(self, event: object, envelope: AnyEnvelope, stream: Stream) -> None:
        self.unknown_kinds += 1

    def _ignore(self, event: object, envelope: AnyEnvelope, stream: Stream) -> None:
        """Do nothing more: that the event was received is all that counts."""

    def _add_failed_file(self, file: str, attempt: int, reason: str, envelope: ev.Envelope) -> None:
        at = envelope.mono_ns, envelope.wall_ns
        self._failed_at[file] = max(self._failed_at.get(file, at), at)
        self.failures[file] = max(self.failures.get(file, (0, "")), (attempt, reason))
        self._net_failures[file] = self._net_failures.get(file, 0) + 1

    def _add_failed_attempt(self, file: str, attempt: int, device: str, reason: str) -> None:
        insort(self.attempts.setdefault(file, []), (attempt, device, reason))

    def _add_steal(self, steal: Steal) -> None:
        self._device(steal.thief)
        self._device(steal.victim).stolen_away += 1
        self._log.steal(steal)
        insort(self._steals, steal)
        del self._steals[:-RECENT_STEALS]

    def _replace_steal(self, reported: Steal, own: Steal) -> None:
        """Replace what the launcher has reported of a steal by the worker's own event."""
        self._log.replace_steal(reported, own)
        if reported in self._steals:
            self._steals.remove(reported)
            insort(self._steals, own)


Handler = Callable[[HostFold, Any, Any, Stream], None]
Handlers = Mapping[type, Handler]
"""By the type of what an envelope has as its event, for all that there may be: every event is looked up here."""
HANDLERS: Handlers = {
    **dict.fromkeys(ev.KIND_OF, HostFold._ignore),
    object: HostFold._ignore,  # left out on purpose, see Foreign
    type(None): HostFold._unknown,
    ev.RunStarted: HostFold._run_started,
    ev.FilesAssigned: HostFold._files_assigned,
    ev.DeviceJoined: HostFold._device_joined,
    ev.RunDraining: HostFold._run_draining,
    ev.RunFinished: HostFold._run_finished,
    ev.Notice: HostFold._notice,
    ev.WorkerStarted: HostFold._worker_started,
    ev.WorkerStopped: HostFold._worker_stopped,
    ev.WorkerLost: HostFold._worker_lost,
    ev.Heartbeat: HostFold._heartbeat,
    ev.FileStarted: HostFold._file_started,
    ev.FileProgress: HostFold._file_progress,
    ev.FileCompleted: HostFold._file_completed,
    ev.FileFailed: HostFold._file_failed,
    ev.FileCommitted: HostFold._file_committed,
    ev.FileQuarantined: HostFold._file_quarantined,
    ev.FileReopened: HostFold._file_reopened,
    ev.WorkStolen: HostFold._work_stolen,
    ev.QueueDepths: HostFold._queue_depths,
    ev.GpuSampled: HostFold._gpu_sampled,
}
