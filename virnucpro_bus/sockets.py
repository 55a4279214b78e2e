"""What every socket here has in common: how it is bound, how much may wait in it, how it is emptied."""

from __future__ import annotations

import os
from collections.abc import Callable

import zmq

DONTWAIT = int(zmq.DONTWAIT)
HIGH_WATER_MARK = 100_000
"""Messages that may wait in a pipe of the hub; the library's 1,000 loses most of a burst at full speed."""
HANDSHAKE_MS = 3_000
HEARTBEAT_MS = 1_000
HEARTBEAT_TIMEOUT_MS = 3_000


def bind_privately(target: zmq.Socket[bytes], address: str) -> None:
    """Bind a local address that no other user can connect to."""
    umask = os.umask(0o077)
    try:
        target.bind(address)
    finally:
        os.umask(umask)


def raw_send(target: zmq.Socket[bytes]) -> Callable[[bytes, int], object]:
    """The send that zmq.Socket inherits: its own wrapper, for options not used here, costs as much again."""
    send: Callable[[bytes, int], object] = super(zmq.Socket, target).send
    return send


def drain(source: zmq.Socket[bytes], limit: int) -> list[bytes]:
    """Up to `limit` messages that have arrived on `source`; does not wait.

    Polling once and then draining costs a sixth of polling before each message.
    """
    frames: list[bytes] = []
    receive, keep = source.recv, frames.append
    try:
        for _ in range(limit):
            keep(receive(zmq.DONTWAIT))
    except zmq.Again:
        pass
    return frames


def enable_keepalive(target: zmq.Socket[bytes]) -> None:
    """For TCP: who stands silent in a handshake is let go of, and a connection that has died is noticed."""
    target.setsockopt(zmq.HANDSHAKE_IVL, HANDSHAKE_MS)
    target.setsockopt(zmq.HEARTBEAT_IVL, HEARTBEAT_MS)
    target.setsockopt(zmq.HEARTBEAT_TIMEOUT, HEARTBEAT_TIMEOUT_MS)
    target.setsockopt(zmq.HEARTBEAT_TTL, HEARTBEAT_TIMEOUT_MS)


HANDSHAKES = (
    zmq.EVENT_HANDSHAKE_SUCCEEDED
    | zmq.EVENT_HANDSHAKE_FAILED_AUTH
    | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
    | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
    | zmq.EVENT_ACCEPTED
    | zmq.EVENT_DISCONNECTED
    | zmq.EVENT_CONNECT_RETRIED
)


class SocketMonitor:
    """What happens to a socket's connections. One thread."""

    def __init__(self, watched: zmq.Socket[bytes]) -> None:
        self._watched = watched
        self.socket = watched.get_monitor_socket(HANDSHAKES)
        """To be polled for input before `news`."""

    def poll_events(self, limit: int = 1_000) -> list[tuple[int, int]]:
        """(event, its value) of what has happened since the last call, up to a limit; does not wait."""
        from zmq.utils.monitor import parse_monitor_message  # brings asyncio with it, which most do without

        happened = []
        try:
            for _ in range(limit):
                message = parse_monitor_message(self.socket.recv_multipart(zmq.DONTWAIT))
                happened.append((int(message["event"]), int(message["value"])))
        except zmq.Again:
            pass
        return happened

    def close(self) -> None:
        """Stop watching; before the watched socket is closed."""
        self._watched.disable_monitor()
