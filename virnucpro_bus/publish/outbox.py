"""A publisher's socket and what waits for it: it never waits itself, and counts what is lost."""

from __future__ import annotations

from collections import deque

import zmq

from virnucpro_bus.clock import Clock
from virnucpro_bus.errors import AddressError
from virnucpro_bus.sockets import DONTWAIT, raw_send

HIGH_WATER_MARK = 10_000
SPOOL_FRAMES = 100_000
SPOOL_FRAMES_AT_ONCE = 100
"""Sent in one go: who publishes meanwhile waits for them, some 0.1 ms."""
FIRST_SUBSCRIBER_SECONDS = 1.0
LINGER_SECONDS = 1.0
SPOOL_SECONDS = 0.8
"""For the spool at the end; with the linger after it, and what else ends then, less than 2 s."""


class Outbox:
    """Frames on their way to one hub. One thread at a time; not across fork()."""

    def __init__(self, address: str, clock: Clock) -> None:
        """Connect, and wait at most 1 s until the hub listens. Raises AddressError for an unusable address."""
        self.dropped = 0
        """Frames that fell off the spool because it was full, or were left at the end."""
        self._clock = clock
        self._spool: deque[bytes] = deque()
        self._listened_to = False
        self._ready = False
        """Whether the next frame may go out at once: somebody listens and nothing waits before it."""
        self._context = zmq.Context()
        # XPUB rather than PUB: it tells whether somebody listens, and with NODROP when a send did not go out.
        self._socket = self._context.socket(zmq.XPUB)
        self._socket.setsockopt(zmq.XPUB_NODROP, 1)
        self._socket.setsockopt(zmq.SNDHWM, HIGH_WATER_MARK)
        self._socket.setsockopt(zmq.RECONNECT_IVL_MAX, 2_000)
        self._socket.setsockopt(zmq.LINGER, 0)
        self._send_now = raw_send(self._socket)
        try:
            self._socket.connect(address)
        except zmq.ZMQError as error:
            self._context.destroy(linger=0)
            raise AddressError(f"{address!r} is not an address to publish to: {error}") from None
        self._socket.poll(int(FIRST_SUBSCRIBER_SECONDS * 1000))
        self.flush_spool()

    @property
    def pending(self) -> int:
        """Frames in the spool."""
        return len(self._spool)

    def send(self, frame: bytes) -> None:
        """Send now, else keep for later, else drop and count. Never waits."""
        if self._ready:
            try:
                self._send_now(frame, DONTWAIT)
                return
            except zmq.Again:
                self._ready = False
        if len(self._spool) < SPOOL_FRAMES and not self._socket.closed:
            self._spool.append(frame)
        else:
            self.dropped += 1

    def flush_spool(self) -> bool:
        """Learn whether the hub listens, and send some of what waits. To be called now and then.

        Returns whether more of it could be sent at once.
        """
        self._notice_subscribers()
        spool = self._spool
        if not self._listened_to:
            self._ready = False
            return False
        for _ in range(SPOOL_FRAMES_AT_ONCE):
            if not spool:
                self._ready = True
                return False
            try:
                self._send_now(spool[0], DONTWAIT)
            except zmq.Again:
                return False
            spool.popleft()
        return True

    def close(self) -> None:
        """Send what is left and close: at most about 2 s if a hub listens, at once if none does."""
        deadline_ns = self._clock.mono_ns() + int(SPOOL_SECONDS * 1e9)
        self.flush_spool()
        while self._spool and self._listened_to and self._clock.mono_ns() < deadline_ns:
            self._socket.poll(10, zmq.POLLOUT)
            self.flush_spool()
        self.dropped += len(self._spool)
        self._spool.clear()
        # destroy() waits for what is in the pipes; the linger bounds that for a hub that stands still.
        self._context.destroy(linger=int(LINGER_SECONDS * 1000) if self._listened_to else 0)
        self._listened_to = self._ready = False

    def _notice_subscribers(self) -> None:
        """XPUB delivers 1 + topic when the first subscriber of a topic comes, 0 + topic when the last one goes."""
        while True:
            try:
                message = self._socket.recv(DONTWAIT)
            except zmq.Again:
                return
            self._listened_to = message[:1] == b"\x01"
