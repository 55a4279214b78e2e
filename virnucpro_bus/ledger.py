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
from virnucpro_bus.accounts import DeviceAccount
from virnucpro_bus.clock import NANOSECONDS
from virnucpro_bus.codec import Foreign
from virnucpro_bus.metrics import GpuMetrics, GpuUtilization, StealEvent, Totals
from virnucpro_bus.streams import Steal, Stream

RECENT_STEALS = 50
RECENT_NOTICES = 10


class WorkLedger:
    """Folds the events of one host. Not thread-safe: its owner is one thread, or holds a lock."""

    def __init__(self, host: str) -> None:
        self.host = host
        self.run: ev.RunStarted | None = None
        """None until a launched run has announced itself."""
        self.finished: ev.RunFinished | None = None
        self.unknown_kinds = 0
        """Events passed over, because this version does not know their kind."""
        self.failures: dict[str, tuple[int, str]] = {}
        """(attempt, reason) of files that failed for good."""
        self._devices: dict[str, DeviceAccount] = {}
        self._streams: dict[str, dict[int, Stream]] = {}
        self._started_ns: int | None = None
        self._finished_ns: int | None = None
        self._depths_at = (0, 0)
        self._depths: dict[str, int] = {}
        self._quarantined = 0
        self._steals: list[Steal] = []
        self._notices: list[tuple[int, int, int, str]] = []
        """The latest, as (epoch, seq, wall-clock time, text)."""
        self._folds: dict[type, Callable[[Any, Any, Stream], None]] = {
            ev.RunStarted: self._run_started,
            ev.RunFinished: self._run_finished,
            ev.Notice: self._notice,
            ev.WorkerStarted: self._worker_started,
            ev.WorkerStopped: self._worker_stopped,
            ev.WorkerLost: self._worker_lost,
            ev.Heartbeat: self._heartbeat,
            ev.FileStarted: self._file_started,
            ev.FileProgress: self._file_progress,
            ev.FileCompleted: self._file_completed,
            ev.FileFailed: self._file_failed,
            ev.FileQuarantined: self._file_quarantined,
            ev.WorkStolen: self._work_stolen,
            ev.QueueDepths: self._queue_depths,
            ev.GpuSampled: self._gpu_sampled,
        }

    # In: one event at a time.

    def apply(self, envelope: ev.Envelope | Foreign) -> bool:
        """Fold one event in. Returns False when it had been folded before."""
        return self.apply_all((envelope,)) == 1

    def apply_all(self, envelopes: Iterable[ev.Envelope | Foreign]) -> int:
        """Fold events in. Returns how many of them had not been folded before."""
        streams, folds = self._streams, self._folds
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
                fold(event, envelope, stream)
            elif event is None:
                self.unknown_kinds += 1
        return fresh

    def _stream(self, source: str, epoch: int) -> Stream:
        return self._streams.setdefault(source, {}).setdefault(epoch, Stream())

    def _account(self, key: str) -> DeviceAccount:
        account = self._devices.get(key)
        if account is None:
            account = self._devices[key] = DeviceAccount(ev.Device(key))
        return account

    def _worker_account(self, key: str, envelope: ev.Envelope, stream: Stream) -> DeviceAccount:
        """The device that a worker's event is about; ties the worker's stream to it."""
        account = self._account(key)
        if not stream.device_key:
            stream.device_key = key
            account.streams[envelope.epoch, envelope.source] = stream
        return account

    def _run_started(self, event: ev.RunStarted, envelope: ev.Envelope, stream: Stream) -> None:
        self.run, self._started_ns = event, envelope.mono_ns
        for device in event.devices:
            account = self._account(device.key)
            account.describe(device)
            account.planned = True

    def _run_finished(self, event: ev.RunFinished, envelope: ev.Envelope, stream: Stream) -> None:
        self.finished, self._finished_ns = event, envelope.mono_ns

    def _notice(self, event: ev.Notice, envelope: ev.Envelope, stream: Stream) -> None:
        insort(self._notices, (envelope.epoch, envelope.seq, envelope.wall_ns, event.text))
        del self._notices[:-RECENT_NOTICES]

    def _worker_started(self, event: ev.WorkerStarted, envelope: ev.Envelope, stream: Stream) -> None:
        self._worker_account(event.device.key, envelope, stream).describe(event.device)
        stream.now(envelope.seq, "idle")

    def _worker_stopped(self, event: ev.WorkerStopped, envelope: ev.Envelope, stream: Stream) -> None:
        self._worker_account(event.device, envelope, stream)
        stream.now(envelope.seq, "stopped")

    def _worker_lost(self, event: ev.WorkerLost, envelope: ev.Envelope, stream: Stream) -> None:
        dead = self._stream(event.source, event.epoch)
        dead.lost = True
        if not dead.device_key:
            dead.device_key = event.device
            self._account(event.device).streams[event.epoch, event.source] = dead
        if event.file is not None and event.stolen_from is not None:
            steal = Steal(event.stolen_at_ns, event.device, event.stolen_from, event.file, event.attempt)
            if steal != dead.last_steal:
                dead.unsaid_steal = steal
                self._remember(steal)

    def _heartbeat(self, event: ev.Heartbeat, envelope: ev.Envelope, stream: Stream) -> None:
        if event.device:
            self._worker_account(event.device, envelope, stream)
        stream.beat(envelope.seq, event)

    def _file_started(self, event: ev.FileStarted, envelope: ev.Envelope, stream: Stream) -> None:
        if not stream.device_key:
            self._worker_account(event.device, envelope, stream)
        seq = envelope.seq
        if seq > stream.state_seq:
            stream.state_seq, stream.state = seq, "busy"
            stream.task, stream.since_ns = event, envelope.mono_ns

    def _file_progress(self, event: ev.FileProgress, envelope: ev.Envelope, stream: Stream) -> None:
        if not stream.device_key:
            self._worker_account(event.device, envelope, stream)
        seq = envelope.seq
        if seq > stream.progress_seq:
            stream.progress_seq, stream.progress = seq, event

    def _file_completed(self, event: ev.FileCompleted, envelope: ev.Envelope, stream: Stream) -> None:
        account = self._worker_account(event.device, envelope, stream)
        stream.completed += 1
        stream.sequences += event.sequences
        stream.now(envelope.seq, "idle")
        end_ns = envelope.mono_ns
        account.window.add(end_ns - int(event.duration_seconds * NANOSECONDS), end_ns, event.sequences)
        if envelope.wall_ns > account.last_done_wall_ns:
            account.last_done_wall_ns = envelope.wall_ns

    def _file_failed(self, event: ev.FileFailed, envelope: ev.Envelope, stream: Stream) -> None:
        account = self._worker_account(event.device, envelope, stream)
        stream.failed += 1
        stream.now(envelope.seq, "idle")
        self._note_failure(event.file, event.attempt, event.reason)
        account.last_done_wall_ns = max(account.last_done_wall_ns, envelope.wall_ns)

    def _file_quarantined(self, event: ev.FileQuarantined, envelope: ev.Envelope, stream: Stream) -> None:
        self._quarantined += 1
        self._note_failure(event.file, event.attempts, event.reason)

    def _work_stolen(self, event: ev.WorkStolen, envelope: ev.Envelope, stream: Stream) -> None:
        self._worker_account(event.thief, envelope, stream)
        stream.stolen += 1
        steal = Steal(event.stolen_at_ns, event.thief, event.victim, event.file, event.attempt)
        if envelope.seq > stream.last_steal_seq:
            stream.last_steal, stream.last_steal_seq = steal, envelope.seq
        if steal == stream.unsaid_steal:
            # The launcher's report came first and is remembered; now the worker's own word counts instead.
            stream.unsaid_steal = None
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
        account.sampled((envelope.epoch, envelope.seq), envelope.mono_ns, event)

    def _note_failure(self, file: str, attempt: int, reason: str) -> None:
        self.failures[file] = max(self.failures.get(file, (0, "")), (attempt, reason))

    def _remember(self, steal: Steal) -> None:
        self._account(steal.victim).robbed += 1
        insort(self._steals, steal)
        if len(self._steals) > RECENT_STEALS:
            del self._steals[0]

    # Out: figures at a moment.

    @property
    def last_ns(self) -> int:
        """The host's monotonic time of the newest event; 0 before the first."""
        return max((stream.heard_ns for epochs in self._streams.values() for stream in epochs.values()), default=0)

    def at(self, now_ns: int) -> int:
        """`now_ns` (this host's monotonic clock), but not past the end of the run: what is over stays so."""
        return now_ns if self._finished_ns is None else min(now_ns, self._finished_ns)

    def elapsed_seconds(self, now_ns: int) -> float | None:
        """Time since the run started; None when no run has announced itself."""
        if self._started_ns is None:
            return None
        return max(0, self.at(now_ns) - self._started_ns) / NANOSECONDS

    def metrics(self, now_ns: int) -> list[GpuMetrics]:
        """One row a device, by index, then key. Where no run was planned, unused GPUs have a row too."""
        now_ns = self.at(now_ns)
        shown = [
            account
            for account in self._devices.values()
            if self.run is None or account.planned or account.streams or account.robbed
        ]
        return [
            account.row(self.host, self._depths.get(account.device.key), now_ns)
            for account in sorted(shown, key=DeviceAccount.display_order)
        ]

    def utilization(self, device_id: int | str, now_ns: int) -> GpuUtilization | None:
        """The last sample of a GPU, by UUID or index; all unknown when it is stale. None: no such GPU here."""
        for account in self._devices.values():
            sample = account.sample
            if sample is not None and device_id in (sample.device.key, sample.device.index):
                return account.utilization(self.at(now_ns))
        return None

    def steals(self) -> list[StealEvent]:
        """The last 50 steals, oldest first."""
        return [
            StealEvent(
                timestamp=steal.stolen_at_ns / NANOSECONDS,
                source_gpu=self._account(steal.victim).device_id,
                dest_gpu=self._account(steal.thief).device_id,
                file_name=steal.file,
            )
            for steal in self._steals
        ]

    def notices(self) -> list[tuple[int, str]]:
        """The last 10 notices to the user, oldest first: (wall-clock time in nanoseconds, text)."""
        return [(wall_ns, text) for _, _, wall_ns, text in self._notices]

    def totals(self) -> Totals:
        """The host's part of the run."""
        streams = [stream for epochs in self._streams.values() for stream in epochs.values()]
        counts = [stream.counts() for stream in streams]
        published = sum(stream.seen.published for stream in streams)
        received = sum(stream.seen.received for stream in streams)
        return Totals(
            files_total=None if self.run is None else self.run.files_total,
            files_completed=sum(count.completed for count in counts),
            files_failed=self._quarantined + sum(count.failed for count in counts),
            sequences=sum(count.sequences for count in counts),
            steals=sum(count.stolen for count in counts),
            events_published=published,
            events_received=received,
            events_lost=published - received,
        )
