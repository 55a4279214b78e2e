"""What happens to the connections of a socket, for those who must tell of it: who is refused, who has gone."""

from __future__ import annotations

import zmq

HANDSHAKES = (
    zmq.EVENT_HANDSHAKE_SUCCEEDED
    | zmq.EVENT_HANDSHAKE_FAILED_AUTH
    | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
    | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
    | zmq.EVENT_ACCEPTED
    | zmq.EVENT_DISCONNECTED
    | zmq.EVENT_CONNECT_RETRIED
)


class Connections:
    """What happens to a socket's connections. One thread."""

    def __init__(self, watched: zmq.Socket[bytes]) -> None:
        self._watched = watched
        self.socket = watched.get_monitor_socket(HANDSHAKES)
        """To be polled for input before `news`."""

    def news(self, limit: int = 1_000) -> list[tuple[int, int]]:
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
