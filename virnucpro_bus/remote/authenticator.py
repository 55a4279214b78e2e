"""Lets only known keys connect: CURVE for a listening socket, and the check of each client's key (ZAP, RFC 27).

The loop that serves viewers also answers these checks, not a thread that could die alone. Without an answer libzmq
refuses the connection, because the ZAP domain is enforced. A key is checked at each handshake. A connected viewer
carries its key as user id, so that a revocation takes effect at its next message.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import zmq

from virnucpro_bus.remote.keys import Identity

DOMAIN = b"virnucpro-bus"
_ENDPOINT = "inproc://zeromq.zap.01"
_REQUESTS_PER_POLL = 100


def secure(listening: zmq.Socket[bytes], identity: Identity) -> None:
    """Require CURVE and a ZAP answer for each connection. Call this before the socket is bound."""
    listening.curve_server = True
    listening.curve_secretkey = identity.secret
    listening.setsockopt(zmq.ZAP_DOMAIN, DOMAIN)
    listening.setsockopt(zmq.ZAP_ENFORCE_DOMAIN, 1)


class Authenticator:
    """Answers libzmq's request to check a client's key. One for each context; not thread-safe."""

    def __init__(
        self,
        context: zmq.Context[zmq.Socket[bytes]],
        allowed: Callable[[], Mapping[bytes, str]],
        report: Callable[[str], object],
    ) -> None:
        """`allowed` returns the current public keys; `report` receives one line for each refused connection."""
        self._allowed = allowed
        self._report = report
        self.socket = context.socket(zmq.ROUTER)
        """Poll it for input before calling `answer`."""
        self.socket.setsockopt(zmq.LINGER, 0)
        self.socket.bind(_ENDPOINT)

    def answer(self) -> None:
        """Answer the pending checks."""
        try:
            for _ in range(_REQUESTS_PER_POLL):
                self._answer(self.socket.recv_multipart(zmq.DONTWAIT))
        except zmq.Again:
            pass

    def is_allowed(self, user_id: str) -> bool:
        """Return whether the key that a viewer connected with, in hexadecimal, is still on the list."""
        try:
            return bytes.fromhex(user_id) in self._allowed()
        except ValueError:
            return False

    def _answer(self, message: list[bytes]) -> None:
        match message:
            case [peer, b"", version, request_id, _, address, _, b"CURVE", key]:
                known = key in self._allowed()
                if not known:
                    self._report(
                        f"refused {address.decode(errors='replace')}: its key {key.hex()} is not on the list of "
                        f"clients; to allow it: virnucpro-bus keys allow {key.hex()}"
                    )
            case [peer, b"", version, request_id, *_]:
                known, key = False, b""
                self._report("refused a connection without a key")
            case _:
                return
        verdict = (b"200", b"OK", key.hex().encode()) if known else (b"400", b"unknown key", b"")
        self.socket.send_multipart([peer, b"", version, request_id, *verdict, b""])
