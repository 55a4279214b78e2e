"""The hub: receives from publishers, keeps hostile frames out, journals, forwards, and serves the history.

It has no thread of its own: its owner (the launcher, the `hub` command) polls `sockets` and calls `poll`.
Forwarding is best effort, and the journal is complete: a subscriber that missed an event requests it
(`history/server.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from typing import TYPE_CHECKING

import zmq

from virnucpro_bus.capture.writer import CaptureWriter
from virnucpro_bus.clock import Clock
from virnucpro_bus.events.codec import MAX_FRAME_BYTES, Foreign, encode
from virnucpro_bus.events.dedup import Deduplicator, Watcher
from virnucpro_bus.events.envelope import HUB_SOURCE, Envelope, Sequencer
from virnucpro_bus.events.run_events import Notice
from virnucpro_bus.history.protocol import WELCOME, HelloReply
from virnucpro_bus.history.server import HistoryServer
from virnucpro_bus.hub.admission import Admission
from virnucpro_bus.hub.own_run import OwnRun
from virnucpro_bus.hub.run_fold import RunFold
from virnucpro_bus.hub.worker_names import WorkerNames
from virnucpro_bus.metrics import Totals
from virnucpro_bus.run_folder import BusAddresses
from virnucpro_bus.sockets import DONTWAIT, HIGH_WATER_MARK, bind_privately, drain, raw_send
from virnucpro_bus.system.process_state import is_running

if TYPE_CHECKING:
    from virnucpro_bus.timeline.ended_run import EndedRun

FRAMES_PER_POLL = 2_000
REQUESTS_PER_POLL = 16
CLOSING_POLLS = 500
"""A million frames are more than can be queued; a publisher that never pauses must not keep the hub open."""
IDLE_FRAMES = 200
"""A poll that took in fewer frames leaves time to fold what was recorded."""
FORWARDED_AT_MOST = 2 * HIGH_WATER_MARK
"""Messages for one subscriber that can be queued: as ZeroMQ counts, a pipe may be full when half of it is free."""
LINGER_MS = 1_000


class Hub:
    """Journals and forwards the events of one bus, and answers requests for its history. Not thread-safe."""

    def __init__(
        self,
        addresses: BusAddresses,
        capture: CaptureWriter,
        clock: Clock,
        workers: str | None = None,
        own_run: OwnRun | None = None,
    ) -> None:
        """Bind the addresses. The caller holds the run folder's lock: a second bind steals a live socket.

        `workers` is the address at which a run's own workers publish. By `addresses.publish` other programs then
        cannot publish what only the run may (`admission.py`). None: the bus has no launcher, and refuses nobody.
        `own_run` makes the events of the coordinator on a bus without one. Raises zmq.ZMQError.
        """
        self.addresses = addresses
        self._run_host = addresses.run_host or addresses.host
        self.capture = capture
        self._own_run = own_run
        self._deduplicator = Deduplicator()
        self._recalled = 0
        """Different events that the capture held when it was resumed."""
        self.refused = self._deduplicator.refused
        """Number of frames kept out, by reason (docs/events.md)."""
        self._context = zmq.Context()
        self._receiver = self._bind(zmq.SUB, addresses.publish)
        self._receiver.subscribe(b"")
        self._refusal: Callable[[Envelope | Foreign], str | None] | None = None
        """Of what arrives at `_receiver`."""
        self._worker_receiver: zmq.Socket[bytes] | None = None
        self._names: WorkerNames | None = None
        if workers is None:
            self._names = WorkerNames(clock, addresses.host, is_running)
            self._sequencer = Sequencer(clock, source=HUB_SOURCE, run=addresses.run, host=self._run_host)
        else:
            self._refusal = Admission(addresses.run).refusal
            self._worker_receiver = self._bind(zmq.SUB, workers)
            self._worker_receiver.subscribe(b"")
        queued = (zmq.SNDHWM, FORWARDED_AT_MOST)
        self._fanout = self._bind(zmq.XPUB, addresses.subscribe, (zmq.XPUB_WELCOME_MSG, WELCOME), queued)
        self._forward = raw_send(self._fanout)
        self._requests = self._bind(zmq.ROUTER, addresses.history)
        self._run_fold = None if workers is None else RunFold(capture.read, clock)
        self._history = HistoryServer(capture, self._hello, clock, fold=self._run_fold)

    @property
    def accepted(self) -> int:
        """Number of different events received so far, without those of before the capture was resumed."""
        return self._deduplicator.accepted

    def events_from(self, source: str, epoch: int) -> int:
        """Return the number of different events received from one of the run's own sources in one epoch."""
        return self._deduplicator.received(source, self._run_host, epoch)

    def sockets(self) -> list[zmq.Socket[bytes]]:
        """The sockets to poll for input before calling `poll`."""
        workers = [] if self._worker_receiver is None else [self._worker_receiver]
        return [self._receiver, *workers, self._fanout, self._requests]

    def poll(self, ready: Container[object] | None = None) -> int:
        """Do what can be done without waiting, up to a limit; returns the number of frames received.

        `ready` are those of `sockets` in which a poller has found input, among others; None: all may have some. To
        find a socket empty takes longer than to take in an event.
        """
        frames = self._drain(self._receiver, ready)
        if frames:
            self.ingest(frames, self._refusal)
        received = len(frames)
        if self._own_run is not None:
            self.record(self._own_run.statements())
        if self._worker_receiver is not None:
            frames = self._drain(self._worker_receiver, ready)
            self.ingest(frames)
            received += len(frames)
        self.capture.flush()
        # Subscription messages are not needed, but they must be taken off the queue.
        self._drain(self._fanout, ready)
        if ready is None or self._requests in ready:
            self._serve_history()
        if received < IDLE_FRAMES:
            self._history.advance_fold()
        return received

    def ingest(
        self, frames: list[bytes], refusal: Callable[[Envelope | Foreign], str | None] | None = None
    ) -> int:
        """Check, journal and forward frames; returns the number of new ones. Duplicates are discarded.

        `refusal` is as for Deduplicator.filter.
        """
        new = self._take_in(frames, refusal, self._names)
        if self._names is not None and (notice := self._names.take_notice()):
            self.record([encode(self._sequencer.next_envelope(Notice(notice)))])
        if self._own_run is not None:
            self._own_run.observe(new)
        return len(new)

    def recall(self, frames: list[bytes]) -> None:
        """Note frames that the capture held when it was resumed, so that they are discarded when sent again."""
        self._recalled += self._deduplicator.recall(frames)
        if self._names is not None:
            self._names.recall(frames)
        if self._own_run is not None:
            self._own_run.observe(frames)

    def resume(self) -> None:
        """Show viewers that the bus goes on, after all that the capture held has been recalled."""
        if self._own_run is not None:
            self.record(self._own_run.resume())

    def finish(self) -> None:
        """Ingest what has already arrived, and report the end of the bus in good order if it has no launcher.

        What is counted is all that was recorded, so it may take seconds after events without a pause.
        """
        self.drain()
        if self._own_run is not None:
            self.record(self._own_run.finish(self._count))
            self.capture.flush()

    def record(self, frames: list[bytes], decoded: Sequence[Envelope | Foreign] | None = None) -> None:
        """Ingest the events of this process, and those that workers have handed to it.

        The journal must hold them: what cannot be written now is kept until it can. `decoded` are the events in
        `frames`, where the caller has decoded them; None: they are decoded here.
        """
        if decoded is None:
            self._take_in(frames, keep=True)
        else:
            self._append(*self._deduplicator.filter_decoded(frames, decoded), keep=True)

    def drain(self) -> None:
        """Ingest the frames that have already arrived."""
        for _ in range(CLOSING_POLLS):
            if not self.poll():
                return

    def close(self) -> None:
        """Ingest what has already arrived, close the capture, and send what is queued (within 1 s)."""
        self.drain()
        self.capture.close()
        self._context.destroy(linger=LINGER_MS)

    def fold_all(self, stopped: Callable[[], bool]) -> None:
        """Fold what remains of the capture, for `take_ended_run`, or until `stopped()`, which is called often."""
        self.capture.flush()
        self._history.fold_all(stopped)

    def take_ended_run(self) -> EndedRun | None:
        """Return what is known of a run at its end, after `close`, from the fold that was kept for viewers.

        None: the hub has no launcher, or its fold lacks a part of the capture, or the end of the run.
        """
        return None if self._run_fold is None else self._run_fold.take_ended_run(self.capture.path)

    def _count(self) -> dict[str, Totals]:
        """Return the totals of each host, of all that is on record."""
        self.capture.flush()
        return {host.host: host.totals() for host in self._history.fold_all().hosts()}

    def _take_in(
        self,
        frames: list[bytes],
        refusal: Callable[[Envelope | Foreign], str | None] | None = None,
        watcher: Watcher | None = None,
        *,
        keep: bool = False,
    ) -> list[bytes]:
        """Check, journal and forward frames; return the new ones. `keep` is as for CaptureWriter.append."""
        # A poll with many frames folds none of them: they are read from the capture later, which costs less than
        # to keep what is in them.
        decoded: list[Envelope | Foreign] | None = [] if len(frames) < IDLE_FRAMES else None
        new = self._deduplicator.filter(frames, refusal, watcher, decoded)
        self._append(new, decoded, keep=keep)
        return new

    def _append(
        self, frames: list[bytes], decoded: Sequence[Envelope | Foreign] | None, *, keep: bool = False
    ) -> None:
        """Journal and forward new frames; `decoded` are the events in them, to be folded soon; None: later."""
        if not frames:
            return
        place = self.capture.append(frames, keep=keep)
        if decoded is not None:
            self._history.noted.add(decoded, place)
        send = self._forward
        for frame in frames:
            # Never blocks: a subscriber whose pipe is full misses it, and notices the gap in the numbers.
            send(frame, DONTWAIT)

    def _drain(self, source: zmq.Socket[bytes], ready: Container[object] | None) -> list[bytes]:
        return drain(source, FRAMES_PER_POLL) if ready is None or source in ready else []

    def _bind(self, kind: int, address: str, *options: tuple[int, bytes | int]) -> zmq.Socket[bytes]:
        bound = self._context.socket(kind)
        bound.setsockopt(zmq.LINGER, 0)
        bound.setsockopt(zmq.SNDHWM, HIGH_WATER_MARK)
        bound.setsockopt(zmq.RCVHWM, HIGH_WATER_MARK)
        bound.setsockopt(zmq.MAXMSGSIZE, MAX_FRAME_BYTES)
        for option, value in options:
            bound.setsockopt(option, value)
        try:
            bind_privately(bound, address)
        except zmq.ZMQError:
            self._context.destroy()
            raise
        return bound

    def _hello(self) -> HelloReply:
        on_record = self._recalled + self.accepted - self.capture.unrecorded_frames
        return HelloReply(self.addresses.run, self._run_host, self.addresses.subscribe, on_record)

    def _serve_history(self) -> None:
        try:
            for _ in range(REQUESTS_PER_POLL):
                self._answer(self._requests.recv_multipart(zmq.DONTWAIT))
        except zmq.Again:
            pass

    def _answer(self, message: list[bytes]) -> None:
        answer = self._history.answer(message[0], message[2:])
        if answer is None:
            self.refused["bad-history-request"] += 1
            return
        try:
            self._requests.send_multipart([*message[:2], *answer], zmq.DONTWAIT)
        except zmq.Again:
            pass  # the viewer does not read its answers; it will ask again
