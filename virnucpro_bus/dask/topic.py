"""Frames on a topic of a Dask scheduler: from the workers of a cluster to a client, by Dask's own connections.

So a cluster needs no further port, and its TLS covers the events. A message on the topic is a sequence of frames,
all that was published within SEND_SECONDS: a message costs the worker 70 us whatever it holds, and an event 1 us.
What is published before a client subscribes does not reach it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from distributed import Client, Worker

TOPIC_PREFIX = "virnucpro-bus-"
SEND_SECONDS = 0.05
"""How long the first frame waits for others that go with it."""
FRAMES_AT_ONCE = 100
"""The most frames in one message: the scheduler keeps the last 1,000 messages of every topic."""
WAITING_FRAMES = 100_000
"""Frames that can wait while the worker's event loop is blocked; further ones are dropped."""


def topic_of(run: str) -> str:
    """Return the topic on which the workers of `run` publish: runs on one cluster do not mix."""
    return TOPIC_PREFIX + run


class TopicOutbox:
    """What a Publisher sends through in a Dask worker. Safe to use from several threads; never waits or raises."""

    is_connected = was_connected = True
    """Dask takes what is sent, whether or not a client has subscribed: that is unknown here."""

    def __init__(self, worker: Worker, topic: str) -> None:
        self.address = topic
        self.dropped = 0
        """Frames that were not sent. Dask does not report what it drops when the scheduler has gone."""
        self._worker = worker
        self._frames: deque[bytes] = deque()
        self._is_due = False
        """Whether the loop has been asked to send."""

    @property
    def pending(self) -> int:
        """0: the worker's event loop sends by itself what waits, so `flush_spool` has nothing to do."""
        return 0

    def send(self, frame: bytes) -> None:
        """Let the worker's event loop send `frame` soon, or drop and count it."""
        if len(self._frames) >= WAITING_FRAMES:
            self.dropped += 1
            return
        self._frames.append(frame)
        if not self._is_due:
            self._is_due = True
            self._worker.loop.add_callback(self._send_soon)

    def flush_spool(self) -> bool:
        """Do nothing: see `pending`."""
        return False

    def close(self) -> None:
        """Send at once what waits."""
        self._send_all()

    def _send_soon(self) -> None:
        self._worker.loop.call_later(SEND_SECONDS, self._send_all)

    def _send_all(self) -> None:
        # Cleared first: a frame that is appended meanwhile is sent here, or asks the loop again.
        self._is_due = False
        frames = self._frames
        while frames:
            message = [frames.popleft() for _ in range(min(len(frames), FRAMES_AT_ONCE))]
            try:
                self._worker.log_event(self.address, message)
            except Exception:  # the scheduler has gone, or the worker is closing
                self.dropped += len(message)


class MessageSubscription:
    """The messages that a client receives on a topic, until `close`."""

    def __init__(self, client: Client, topic: str, on_message: Callable[[object], object]) -> None:
        """Subscribe. `on_message` is called in the thread of Dask's event loop, which it must not keep waiting.

        A client has one subscriber a topic: the last.
        """
        self.topic = topic
        self._client = client
        self._on_message = on_message
        self._is_open = True
        client.subscribe_topic(topic, self._receive)

    def close(self) -> None:
        """Unsubscribe; nothing arrives afterwards. Safe to call twice, and when the client is closed already."""
        if not self._is_open:
            return
        self._is_open = False
        with suppress(Exception):  # the scheduler has gone, or the client was closed before
            self._client.unsubscribe_topic(self.topic)

    def _receive(self, event: tuple[float, object]) -> None:
        """Take a message, with the scheduler's time. Dask goes on to deliver after a client has unsubscribed."""
        if self._is_open:
            self._on_message(event[1])


class Subscription(MessageSubscription):
    """The frames that a client receives on a topic, until `close`."""

    def __init__(self, client: Client, topic: str, on_frame: Callable[[bytes], object]) -> None:
        """Subscribe. `on_frame` is called as `on_message` is."""
        self.refused = 0
        """What arrived on the topic and was not a frame: anyone in the cluster may publish there."""
        self._on_frame = on_frame
        super().__init__(client, topic, self._take)

    def _take(self, message: object) -> None:
        match message:
            case [*frames]:
                for frame in frames:
                    if isinstance(frame, bytes):
                        self._on_frame(frame)
                    else:
                        self.refused += 1
            case _:
                self.refused += 1
