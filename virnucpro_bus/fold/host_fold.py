"""The fold: one host's events in, its devices' figures out.

Pure and deterministic: no I/O, no clock, no threads. Two promises carry everything that is built on it: applying
an event twice changes nothing, and a gap that is filled later ends in the state that in-order delivery would have
given. So counters count only events whose (source, epoch, seq) is new, and "the latest" is decided by seq, never
by the order of arrival.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable, Iterable
from typing import Any

from virnucpro_bus import events as ev
from virnucpro_bus.clock import NANOSECONDS
from virnucpro_bus.effect.work_log import Steal
from virnucpro_bus.events.codec import Foreign
from virnucpro_bus.events.vocabulary import MAX_COUNT
from virnucpro_bus.fold.device import DeviceState, Reopened
from virnucpro_bus.fold.host_state import HostState
from virnucpro_bus.fold.stream import Stream
from virnucpro_bus.fold.windows import Completions, RollingWindow

RECENT_STEALS = 50
RECENT_NOTICES = 10
MIN_BOOT_NS = 10 * NANOSECONDS
"""A wall clock is set by less, and no machine starts in less."""


class HostFold(HostState, array_like=True):
    """Folds the events of one host. Not thread-safe: its owner is one thread, or holds a lock."""

    def apply(self, envelope: ev.Envelope | Foreign) -> bool:
        """Fold one event in. Returns False when it had been folded before."""
        return self.apply_all((envelope,)) == 1

    def apply_all(self, envelopes: Iterable[ev.Envelope | Foreign]) -> int:
        """Fold events in. Returns how many of them had not been folded before."""
        streams, folds = self._streams, _FOLDS
        fresh = 0
        for envelope in envelopes:
            try:
                stream = streams[envelope.source][envelope.epoch]
            except KeyError:
                stream = self._stream(envelope.source, envelope.epoch)
            seen, seq = stream.seen, envelope.seq
            # The next number in line, which is nearly every event, is not worth a call.
            if seq == seen.expected:
                seen.expected = seq + 1
            elif not seen.add(seq):
                continue
            fresh += 1
            mono_ns = envelope.mono_ns
            if mono_ns > stream.heard_ns:
                stream.heard_ns = mono_ns
            event = envelope.event
            fold = folds.get(type(event))
            if fold is not None:
                fold(self, event, envelope, stream)
            elif event is None:
                self.unknown_kinds += 1
        return fresh

    def _stream(self, source: str, epoch: int) -> Stream:
        return self._streams.setdefault(source, {}).setdefault(epoch, Stream())

    def _account(self, key: str) -> DeviceState:
        account = self._devices.get(key)
        if account is None:
            account = self._devices[key] = DeviceState(ev.Device(key))
        return account

    def _worker_account(self, key: str, stream: Stream) -> DeviceState:
        """The device that a worker's event is about; ties the worker's stream to it."""
        if not stream.device_key:
            stream.device_key = key
        # Nearly always it is known, and not worth a call.
        return self._devices.get(key) or self._account(key)

    def _run_started(self, event: ev.RunStarted, envelope: ev.Envelope, stream: Stream) -> None:
        for device in event.devices:
            account = self._account(device.key)
            account.describe(device)
            account.planned = True
        if self._is_of_the_last_session(envelope):
            self.run, self._started_ns = event, envelope.mono_ns
            self._notice_boot(envelope)

    def _run_finished(self, event: ev.RunFinished, envelope: ev.Envelope, stream: Stream) -> None:
        if self._is_of_the_last_session(envelope):
            self.finished, self._finished_ns = event, envelope.mono_ns

    def _is_of_the_last_session(self, envelope: ev.Envelope) -> bool:
        """Whether no launcher that has begun later has been heard; what ended before it is not over any more."""
        if envelope.epoch > self._session:
            self._session = envelope.epoch
            self.finished = self._finished_ns = None
            self._book.assigned = []
        return envelope.epoch == self._session

    def _files_assigned(self, event: ev.FilesAssigned, envelope: ev.Envelope, stream: Stream) -> None:
        if self._is_of_the_last_session(envelope):
            self._book.assign(event.device, event.files)

    def _notice_boot(self, envelope: ev.Envelope) -> None:
        """When the host was started anew its monotonic clock was, too: times of before mean nothing now."""
        boot_ns = max(0, envelope.wall_ns - envelope.mono_ns)
        if self._boot_ns is not None and abs(boot_ns - self._boot_ns) > MIN_BOOT_NS:
            for _, _, stream in self._each_stream():
                stream.heard_ns = min(stream.heard_ns, envelope.mono_ns)
            for account in self._devices.values():
                account.window = RollingWindow()
                account.history = account.sample = None
                account.last_done_ns = 0
            self._completions = Completions()
            self._book.reset_times()
        self._boot_ns = boot_ns

    def _notice(self, event: ev.Notice, envelope: ev.Envelope, stream: Stream) -> None:
        insort(self._notices, (envelope.epoch, envelope.seq, envelope.wall_ns, event.text))
        del self._notices[:-RECENT_NOTICES]

    def _worker_started(self, event: ev.WorkerStarted, envelope: ev.Envelope, stream: Stream) -> None:
        self._worker_account(event.device.key, stream).describe(event.device)
        stream.now(envelope.seq, "idle")

    def _worker_stopped(self, event: ev.WorkerStopped, envelope: ev.Envelope, stream: Stream) -> None:
        self._worker_account(event.device, stream)
        stream.now(envelope.seq, "stopped")

    def _worker_lost(self, event: ev.WorkerLost, envelope: ev.Envelope, stream: Stream) -> None:
        dead = self._stream(event.source, event.epoch)
        dead.lost, dead.lost_ns = True, max(dead.lost_ns, envelope.mono_ns)
        if not dead.device_key:
            dead.device_key = event.device
            self._account(event.device)
        if event.file is not None:
            self._note_attempt(event.file, event.attempt, event.device, event.reason)
        if event.file is not None and event.stolen_from is not None:
            steal = Steal(event.stolen_at_ns, event.device, event.stolen_from, event.file, event.attempt)
            if steal != dead.last_steal:
                dead.pending_steal = steal
                self._remember(steal)

    def _heartbeat(self, event: ev.Heartbeat, envelope: ev.Envelope, stream: Stream) -> None:
        if event.device:
            self._worker_account(event.device, stream)
        stream.beat(envelope)

    def _file_started(self, event: ev.FileStarted, envelope: ev.Envelope, stream: Stream) -> None:
        if not stream.device_key:
            self._worker_account(event.device, stream)
        seq = envelope.seq
        if seq > stream.state_seq:
            stream.state_seq, stream.state = seq, "busy"
            stream.task, stream.since_ns = event, envelope.mono_ns

    def _file_progress(self, event: ev.FileProgress, envelope: ev.Envelope, stream: Stream) -> None:
        if not stream.device_key:
            self._worker_account(event.device, stream)
        seq = envelope.seq
        if seq > stream.progress_seq:
            stream.progress_seq, stream.progress = seq, event

    def _file_completed(self, event: ev.FileCompleted, envelope: ev.Envelope, stream: Stream) -> None:
        account = self._devices.get(event.device)
        if account is None or not stream.device_key:
            account = self._worker_account(event.device, stream)
        stream.completed += 1
        sequences = stream.sequences + event.sequences
        stream.sequences = sequences if sequences < MAX_COUNT else MAX_COUNT
        seq, end_ns = envelope.seq, envelope.mono_ns
        if seq > stream.state_seq:
            stream.state_seq, stream.state = seq, "idle"
        seconds = event.duration_seconds
        account.window.add(end_ns - int(seconds * NANOSECONDS), end_ns, event.sequences)
        # The account's own key, so that not every record holds a copy of it.
        self._book.complete(event.file, end_ns, seconds, account.device.key)
        account.note_finished(end_ns, envelope.wall_ns)
        completions = self._completions
        if end_ns > completions.newest_ns:
            completions.newest_ns = end_ns
            completions.kept.append(envelope)
        else:
            completions.add_late(envelope)

    def _file_failed(self, event: ev.FileFailed, envelope: ev.Envelope, stream: Stream) -> None:
        account = self._worker_account(event.device, stream)
        stream.now(envelope.seq, "idle")
        self._note_attempt(event.file, event.attempt, event.device, event.reason)
        self._book.fail(envelope.mono_ns, event.duration_seconds, event.device)
        if event.final:
            stream.failed += 1
            self._note_failure(event.file, event.attempt, event.reason)
        account.note_finished(envelope.mono_ns, envelope.wall_ns)

    def _file_quarantined(self, event: ev.FileQuarantined, envelope: ev.Envelope, stream: Stream) -> None:
        self._quarantined += 1
        self._note_failure(event.file, event.attempts, event.reason)

    def _file_reopened(self, event: ev.FileReopened, envelope: ev.Envelope, stream: Stream) -> None:
        if not event.completed:
            self._given_up[event.file] = self._given_up.get(event.file, 0) - 1
        if event.device:
            account = self._account(event.device)
            again = Reopened(int(event.completed), int(not event.completed), event.sequences)
            account.reopened = account.reopened.plus(again)
        else:
            self._unquarantined += 1

    def _work_stolen(self, event: ev.WorkStolen, envelope: ev.Envelope, stream: Stream) -> None:
        self._worker_account(event.thief, stream)
        stream.stolen += 1
        steal = Steal(event.stolen_at_ns, event.thief, event.victim, event.file, event.attempt)
        if envelope.seq > stream.last_steal_seq:
            stream.last_steal, stream.last_steal_seq = steal, envelope.seq
        if steal == stream.pending_steal:
            # The launcher's report came first and is remembered; now the worker's own word counts instead.
            stream.pending_steal = None
        else:
            self._remember(steal)

    def _queue_depths(self, event: ev.QueueDepths, envelope: ev.Envelope, stream: Stream) -> None:
        for key in event.depths:
            self._account(key)
        at = (envelope.epoch, envelope.seq)
        if at > self._depths_at:
            self._depths_at, self._depths = at, event.depths

    def _gpu_sampled(self, event: ev.GpuSampled, envelope: ev.Envelope, stream: Stream) -> None:
        account = self._account(event.device.key)
        account.describe(event.device)
        account.add_sample((envelope.epoch, envelope.seq), envelope.mono_ns, event)

    def _note_failure(self, file: str, attempt: int, reason: str) -> None:
        self.failures[file] = max(self.failures.get(file, (0, "")), (attempt, reason))
        self._given_up[file] = self._given_up.get(file, 0) + 1

    def _note_attempt(self, file: str, attempt: int, device: str, reason: str) -> None:
        insort(self.attempts.setdefault(file, []), (attempt, device, reason))

    def _remember(self, steal: Steal) -> None:
        self._account(steal.thief)
        self._account(steal.victim).stolen_away += 1
        self._book.steal(steal)
        insort(self._steals, steal)
        if len(self._steals) > RECENT_STEALS:
            del self._steals[0]


_FOLDS: dict[type, Callable[[HostFold, Any, Any, Stream], None]] = {
    ev.RunStarted: HostFold._run_started,
    ev.FilesAssigned: HostFold._files_assigned,
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
    ev.FileQuarantined: HostFold._file_quarantined,
    ev.FileReopened: HostFold._file_reopened,
    ev.WorkStolen: HostFold._work_stolen,
    ev.QueueDepths: HostFold._queue_depths,
    ev.GpuSampled: HostFold._gpu_sampled,
}
