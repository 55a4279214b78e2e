"""What a publisher sends through: a socket with a spool, or nothing. Sending never waits, and counts losses."""

from __future__ import annotations

from collections import deque
from typing import Protocol

import zmq

from virnucpro_bus.clock import Clock
from virnucpro_bus.errors import AddressError
from virnucpro_bus.sockets import DONTWAIT, raw_send

HIGH_WATER_MARK = 10_000
"""Messages that the pipe to the hub can hold."""
SPOOL_FRAMES = 100_000
"""Frames that the spool can hold; further ones are dropped."""
SPOOL_FRAMES_AT_ONCE = 100
"""Sent by one `flush_spool`: other threads wait for it to publish, for about 0.1 ms."""
FIRST_SUBSCRIBER_SECONDS = 1.0
RECENT_FRAMES = 10_000
"""Sent frames that are kept, to be sent again to a hub that takes the place of one that was killed."""
RECONNECT_MS = 500
"""The longest time between two attempts to reach the hub; closing waits longer."""
LINGER_SECONDS = 1.0
SPOOL_SECONDS = 0.8
"""Limit for sending the spool at the end; closing takes less than 2 s with the linger and all else."""


class FrameOutbox(Protocol):
    """What a publisher sends its frames through. The publisher's lock is held at each call."""

    address: str
    """Where the frames go, for a message to the user."""
    dropped: int
    """Frames that were not sent."""
    was_connected: bool
    """Whether anything has ever taken frames."""

    @property
    def is_connected(self) -> bool:
        """Whether frames are taken now, as far as `flush_spool` has noticed."""
        ...

    @property
    def pending(self) -> int:
        """Frames that wait for `flush_spool`."""
        ...

    def send(self, frame: bytes) -> None:
        """Send `frame`, keep it for later, or drop and count it. Never waits, never raises."""
        ...

    def flush_spool(self) -> bool:
        """Send some of what is kept; called regularly. Returns whether more can be sent at once."""
        ...

    def close(self) -> None:
        """Send what is kept, within about 2 s."""
        ...


class NoOutbox:
    """Takes the place of an outbox where nothing can take frames: counts them."""

    address = ""
    is_connected = was_connected = False
    pending = 0

    def __init__(self, problem: str = "") -> None:
        """`problem` is for the user: the thing and why nothing is sent; "" where nothing was to be sent."""
        self.problem = problem
        self.dropped = 0

    def send(self, frame: bytes) -> None:
        """Count `frame`."""
        self.dropped += 1

    def flush_spool(self) -> bool:
        """Do nothing."""
        return False

    def close(self) -> None:
        """Do nothing."""


class Outbox:
    """Sends frames to one hub, spooling what it cannot send yet. One thread at a time; not across fork()."""

    def __init__(self, address: str, clock: Clock) -> None:
        """Connect, and wait at most 1 s until the hub subscribes. Raises AddressError for an unusable address."""
        self.address = address
        self.dropped = 0
        """Frames that were not sent because the spool was full, or at the end."""
        self.was_connected = False
        """Whether a hub has ever been subscribed."""
        self.is_cut_off = False
        """Whether the hub that was subscribed has gone, and no other has subscribed since."""
        self._clock = clock
        self._spool: deque[bytes] = deque()
        self._recent: deque[bytes] = deque(maxlen=RECENT_FRAMES)
        """The last frames that were sent; a hub that is killed has not recorded all of them."""
        self._keep_recent = self._recent.append
        self._has_subscriber = False
        self._ready = False
        """Whether the next frame may be sent at once: the hub is subscribed and the spool is empty."""
        self._context = zmq.Context()
        # XPUB rather than PUB: it reports subscriptions, and with NODROP that a frame could not be sent.
        self._socket = self._context.socket(zmq.XPUB)
        self._socket.setsockopt(zmq.XPUB_NODROP, 1)
        # A hub that takes the place of one that was killed subscribes a second time.
        self._socket.setsockopt(zmq.XPUB_VERBOSE, 1)
        self._socket.setsockopt(zmq.SNDHWM, HIGH_WATER_MARK)
        self._socket.setsockopt(zmq.RECONNECT_IVL_MAX, RECONNECT_MS)
        self._socket.setsockopt(zmq.LINGER, 0)
        self._send_now = raw_send(self._socket)
        self._disconnections = self._socket.get_monitor_socket(zmq.EVENT_DISCONNECTED)
        try:
            self._socket.connect(address)
        except (zmq.ZMQError, UnicodeEncodeError) as error:
            self._context.destroy(linger=0)
            raise AddressError(f"{address!r} is not an address to publish to: {error}") from None
        self._socket.poll(int(FIRST_SUBSCRIBER_SECONDS * 1000))
        self.flush_spool()

    @property
    def is_connected(self) -> bool:
        """Whether a hub is subscribed, as far as `flush_spool` has noticed."""
        return self._has_subscriber and not self.is_cut_off

    @property
    def pending(self) -> int:
        """Frames in the spool."""
        return len(self._spool)

    def send(self, frame: bytes) -> None:
        """Send `frame` now, or else spool it, or else drop and count it. Never waits."""
        if self._ready:
            try:
                self._send_now(frame, DONTWAIT)
                self._keep_recent(frame)
                return
            except zmq.Again:
                self._ready = False
        if len(self._spool) < SPOOL_FRAMES and not self._socket.closed:
            self._spool.append(frame)
        else:
            self.dropped += 1

    def flush_spool(self) -> bool:
        """Check whether the hub is subscribed, and send some spooled frames. To be called regularly.

        Returns whether more of them can be sent at once.
        """
        self._read_subscriptions()
        spool = self._spool
        if not self.is_connected:
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
            self._keep_recent(spool.popleft())
        return True

    def close(self) -> None:
        """Send what is spooled, and close. Takes at most about 2 s if the hub is subscribed, no time otherwise."""
        deadline_ns = self._clock.mono_ns() + int(SPOOL_SECONDS * 1e9)
        self.flush_spool()
        while (self._spool or self.is_cut_off) and self._has_subscriber and self._clock.mono_ns() < deadline_ns:
            self._socket.poll(10, zmq.POLLIN if self.is_cut_off else zmq.POLLOUT)
            self.flush_spool()
        self.dropped += len(self._spool)
        self._spool.clear()
        # destroy() waits for what is in the pipe; the linger limits that for a hub that does not read.
        self._context.destroy(linger=int(LINGER_SECONDS * 1000) if self._has_subscriber else 0)
        self._has_subscriber = self._ready = False

    def _read_subscriptions(self) -> None:
        """Read what XPUB delivers: 1 + topic for a subscription, 0 + topic when the last one has ended."""
        while self._disconnections.poll(0):
            self._disconnections.recv_multipart()
            self.is_cut_off = True
        while True:
            try:
                message = self._socket.recv(DONTWAIT)
            except zmq.Again:
                return
            self._has_subscriber = message[:1] == b"\x01"
            if self._has_subscriber:
                self.was_connected, self.is_cut_off = True, False
                # It discards what the capture holds already.
                self._spool.extendleft(reversed(self._recent))
                self._recent.clear()
                self._ready = False
