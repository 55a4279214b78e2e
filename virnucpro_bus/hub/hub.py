"""The hub: receives from publishers, keeps hostile frames out, journals, forwards, and serves history.

One poll loop, no thread of its own: whoever owns it (the launcher, the `hub` command) registers its sockets and
calls `turn`. Forwarding is best effort, the journal is the truth: a subscriber that missed something asks for it
(history.py).
"""

from __future__ import annotations

import zmq

from virnucpro_bus.capture.writer import CaptureWriter
from virnucpro_bus.clock import Clock
from virnucpro_bus.events.codec import MAX_FRAME_BYTES
from virnucpro_bus.events.dedup import Deduplicator
from virnucpro_bus.history.protocol import WELCOME, HelloReply
from virnucpro_bus.history.server import HistoryServer
from virnucpro_bus.run_folder import BusAddresses
from virnucpro_bus.sockets import DONTWAIT, HIGH_WATER_MARK, bind_privately, drain, raw_send

FRAMES_PER_POLL = 2_000
CLOSING_POLLS = 500
"""A million frames are more than can be waiting; a publisher that never pauses must not keep the hub open."""
IDLE_FRAMES = 200
"""After a turn with fewer there is time for what can be done later."""
LINGER_MS = 1_000


class Hub:
    """One thread owns it, so there are no locks."""

    def __init__(self, addresses: BusAddresses, capture: CaptureWriter, clock: Clock) -> None:
        """Bind the three addresses. Hold the run folder's lock: a second bind would steal a live socket."""
        self.addresses = addresses
        self.capture = capture
        self._sieve = Deduplicator()
        self.refused = self._sieve.refused
        """Frames kept out, by FrameError.reason."""
        self._context = zmq.Context()
        self._ingest = self._bind(zmq.SUB, addresses.publish)
        self._ingest.subscribe(b"")
        self._fanout = self._bind(zmq.XPUB, addresses.subscribe, (zmq.XPUB_WELCOME_MSG, WELCOME))
        self._forward = raw_send(self._fanout)
        self._asked = self._bind(zmq.ROUTER, addresses.history)
        self._history = HistoryServer(capture, self._hello, clock)

    def _bind(self, kind: int, address: str, *options: tuple[int, bytes]) -> zmq.Socket[bytes]:
        bound = self._context.socket(kind)
        bound.setsockopt(zmq.LINGER, 0)
        bound.setsockopt(zmq.SNDHWM, HIGH_WATER_MARK)
        bound.setsockopt(zmq.RCVHWM, HIGH_WATER_MARK)
        bound.setsockopt(zmq.MAXMSGSIZE, MAX_FRAME_BYTES)
        for option, value in options:
            bound.setsockopt(option, value)
        bind_privately(bound, address)
        return bound

    @property
    def accepted(self) -> int:
        """Different events received so far."""
        return self._sieve.accepted

    def events_from(self, source: str, epoch: int) -> int:
        """Different events that a source of this host has been heard to say, in one epoch."""
        return self._sieve.received(source, self.addresses.host, epoch)

    def sockets(self) -> list[zmq.Socket[bytes]]:
        """The sockets to poll for input before calling `turn`."""
        return [self._ingest, self._fanout, self._asked]

    def poll(self) -> int:
        """Do all that can be done without waiting, up to a limit; returns the number of frames taken in."""
        frames = drain(self._ingest, FRAMES_PER_POLL)
        if frames:
            self.ingest(frames)
        self.capture.flush()
        # Nobody's subscription interests us, but they must be taken off the queue.
        drain(self._fanout, FRAMES_PER_POLL)
        self._serve_history()
        if len(frames) < IDLE_FRAMES:
            self._history.advance_fold()
        return len(frames)

    def ingest(self, frames: list[bytes]) -> int:
        """Check, journal and forward frames; returns how many. What has been here before goes no further."""
        fresh = self._sieve.filter(frames)
        self.capture.append(fresh)
        send = self._forward
        for frame in fresh:
            # Never blocks: a subscriber whose pipe is full misses this one, and finds out by the hole in the seqs.
            send(frame, DONTWAIT)
        return len(fresh)

    def _hello(self) -> HelloReply:
        on_record = self.capture.frames_before + self.accepted - self.capture.unrecorded_frames
        return HelloReply(self.addresses.run, self.addresses.host, self.addresses.subscribe, on_record)

    def _serve_history(self) -> None:
        try:
            for _ in range(16):
                self._answer(self._asked.recv_multipart(zmq.DONTWAIT))
        except zmq.Again:
            pass

    def _answer(self, request: list[bytes]) -> None:
        answer = self._history.answer(request[2:])
        if answer is None:
            self.refused["bad-history-request"] += 1
            return
        try:
            self._asked.send_multipart([*request[:2], *answer], zmq.DONTWAIT)
        except zmq.Again:
            pass  # the asker does not take its answers; it will ask again

    def drain(self) -> None:
        """Take in what has already arrived."""
        for _ in range(CLOSING_POLLS):
            if not self.poll():
                return

    def close(self) -> None:
        """Take in what has already arrived, close the capture, send what is under way (1 s at most)."""
        self.drain()
        self.capture.close()
        self._context.destroy(linger=LINGER_MS)
