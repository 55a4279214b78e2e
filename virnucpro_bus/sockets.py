"""What all ZeroMQ sockets here share: how they are bound, kept alive, emptied and monitored."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from itertools import repeat

import zmq

DONTWAIT = int(zmq.DONTWAIT)
HIGH_WATER_MARK = 100_000
"""Messages that a pipe of the hub can hold; the library's default of 1,000 loses most of a burst at full speed."""
HANDSHAKE_MS = 3_000
HEARTBEAT_MS = 1_000
HEARTBEAT_TIMEOUT_MS = 3_000
_MONITORED_EVENTS = (
    zmq.EVENT_HANDSHAKE_SUCCEEDED
    | zmq.EVENT_HANDSHAKE_FAILED_AUTH
    | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
    | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
    | zmq.EVENT_ACCEPTED
    | zmq.EVENT_DISCONNECTED
    | zmq.EVENT_CONNECT_RETRIED
)


def reason_of(error: OSError | zmq.ZMQError) -> str:
    """Return why the system refused sockets, files or processes, and what to do about it where that is known."""
    if error.errno == errno.EMFILE:
        return f"{os.strerror(errno.EMFILE)}; allow more with ulimit -n"
    return error.strerror or str(error)


def bind_privately(target: zmq.Socket[bytes], address: str) -> None:
    """Bind a local address that no other user can connect to. Changes the umask of the process meanwhile."""
    umask = os.umask(0o077)
    try:
        target.bind(address)
    finally:
        os.umask(umask)


def enable_keepalive(target: zmq.Socket[bytes]) -> None:
    """Have TCP peers dropped that do not finish their handshake, or no longer answer heartbeats, within 3 s."""
    target.setsockopt(zmq.HANDSHAKE_IVL, HANDSHAKE_MS)
    target.setsockopt(zmq.HEARTBEAT_IVL, HEARTBEAT_MS)
    target.setsockopt(zmq.HEARTBEAT_TIMEOUT, HEARTBEAT_TIMEOUT_MS)
    target.setsockopt(zmq.HEARTBEAT_TTL, HEARTBEAT_TIMEOUT_MS)


def raw_send(target: zmq.Socket[bytes]) -> Callable[[bytes, int], object]:
    """Return the send that zmq.Socket inherits; its own wrapper, for options not used here, doubles the cost."""
    send: Callable[[bytes, int], object] = super(zmq.Socket, target).send
    return send


def drain(source: zmq.Socket[bytes], limit: int) -> list[bytes]:
    """Receive up to `limit` messages that have arrived on `source`. Never waits.

    Polling once and then draining costs a sixth of polling before each message, and a loop that is not Python's
    three quarters of one that is.
    """
    frames: list[bytes] = []
    try:
        frames.extend(map(source.recv, repeat(DONTWAIT, limit)))
    except zmq.Again:
        pass  # what was received before is in the list
    return frames


class SocketMonitor:
    """Reports the connections of a socket: accepted, handshakes, disconnected, retried.

    Belongs to the thread of the socket.
    """

    def __init__(self, watched: zmq.Socket[bytes]) -> None:
        """Start monitoring `watched`."""
        self._watched = watched
        self.socket = watched.get_monitor_socket(_MONITORED_EVENTS)
        """Readable when `poll_events` has something to return."""

    def poll_events(self, limit: int = 1_000) -> list[tuple[int, int]]:
        """Return up to `limit` events since the last call, each with its value, oldest first. Never waits."""
        from zmq.utils.monitor import parse_monitor_message  # imports asyncio, which most processes do without

        events = []
        try:
            for _ in range(limit):
                message = parse_monitor_message(self.socket.recv_multipart(zmq.DONTWAIT))
                events.append((int(message["event"]), int(message["value"])))
        except zmq.Again:
            pass
        return events

    def close(self) -> None:
        """Stop monitoring. To be called before the watched socket is closed."""
        self._watched.disable_monitor()
        self.socket.close(linger=0)
