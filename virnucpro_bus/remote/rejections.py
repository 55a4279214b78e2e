"""What is to be said of connections to a relay that never became a viewer's. Pure: events in, complaints out."""

from __future__ import annotations

import zmq

BROKE_OFF = "refused a connection that broke off its handshake: it went by another --server-key, or is no viewer"
NO_HANDSHAKE = (
    "refused a connection that did not shake hands: it came without the key that is needed, or is no viewer"
)
NOT_OURS = "refused a connection that does not speak our protocol"


class HandshakeTracker:
    """Follows the events of a listening socket. One thread.

    An event about a handshake does not say whose it was, so it is taken for that of the oldest connection that has
    not shaken hands yet: right one by one, and in a crowd no worse than a complaint about the neighbour.
    """

    def __init__(self) -> None:
        self._undecided: dict[int, None] = {}
        """Descriptors of connections that have neither shaken hands nor failed to, oldest first."""

    def observe(self, event: int, value: int) -> str | None:
        """Take in one event of the socket's monitor; returns what is to be told, None: nothing."""
        match event:
            case zmq.EVENT_ACCEPTED:
                self._undecided.pop(value, None)
                self._undecided[value] = None
            case zmq.EVENT_DISCONNECTED if value in self._undecided:
                del self._undecided[value]
                return NOT_OURS
            case zmq.EVENT_HANDSHAKE_SUCCEEDED | zmq.EVENT_HANDSHAKE_FAILED_AUTH:
                # A key that is not on the list is told of by the Doorkeeper, who knows which.
                self._decide()
            case zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL if value == zmq.PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH:
                # One that comes without a key where one is needed: we read its greeting before it saw ours.
                self._decide()
                return NO_HANDSHAKE
            case zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL:
                self._decide()
                return BROKE_OFF
            case zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL:
                self._decide()
                return NO_HANDSHAKE
        return None

    def _decide(self) -> None:
        oldest = next(iter(self._undecided), None)
        if oldest is not None:
            del self._undecided[oldest]
