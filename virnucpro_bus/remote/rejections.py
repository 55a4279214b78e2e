"""Explains why a connection to a relay never became a viewer. Pure: socket events in, messages out."""

from __future__ import annotations

import zmq

BROKE_OFF = "refused a connection that broke off its handshake: it uses another --server-key, or is not a viewer"
NO_HANDSHAKE = "refused a connection without a handshake: it came without the required key, or is not a viewer"
NOT_OURS = "refused a connection that does not speak our protocol"


class HandshakeTracker:
    """Follows the handshakes at a listening socket by its monitor events. Not thread-safe.

    An event about a handshake does not name its connection, so it is attributed to the oldest connection whose
    handshake is pending. That is right for single connections; among many, a message may be about a neighbour.
    """

    def __init__(self) -> None:
        self._pending: dict[int, None] = {}
        """Descriptors of connections whose handshake has neither succeeded nor failed, oldest first."""

    def observe(self, event: int, value: int) -> str | None:
        """Process one monitor event; returns the message to report, or None."""
        match event:
            case zmq.EVENT_ACCEPTED:
                self._pending.pop(value, None)
                self._pending[value] = None
            case zmq.EVENT_DISCONNECTED if value in self._pending:
                del self._pending[value]
                return NOT_OURS
            case zmq.EVENT_HANDSHAKE_SUCCEEDED | zmq.EVENT_HANDSHAKE_FAILED_AUTH:
                # An unknown key is reported by the Authenticator, which knows the key.
                self._settle_oldest()
            case zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL if value == zmq.PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH:
                # A connection without a key where one is required: we read its greeting before it saw ours.
                self._settle_oldest()
                return NO_HANDSHAKE
            case zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL:
                self._settle_oldest()
                return BROKE_OFF
            case zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL:
                self._settle_oldest()
                return NO_HANDSHAKE
        return None

    def _settle_oldest(self) -> None:
        oldest = next(iter(self._pending), None)
        if oldest is not None:
            del self._pending[oldest]
