"""Who may come in: CURVE for a listening socket, and the one who is asked about each key (ZAP, RFC 27).

The asked one is polled by the very loop that serves, not by a thread that could die alone; and where nobody
answers, libzmq lets nobody in, because the domain is enforced. A key is looked up at each handshake; who is inside
already carries its key as user id, so that a revocation can be applied to every message.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import zmq

from virnucpro_bus.remote.keys import Identity

DOMAIN = b"virnucpro-bus"
_ENDPOINT = "inproc://zeromq.zap.01"
_REQUESTS_PER_TURN = 100


def secure(listening: zmq.Socket[bytes], identity: Identity) -> None:
    """Let only known keys in; to be called before the socket is bound."""
    listening.curve_server = True
    listening.curve_secretkey = identity.secret
    listening.setsockopt(zmq.ZAP_DOMAIN, DOMAIN)
    listening.setsockopt(zmq.ZAP_ENFORCE_DOMAIN, 1)


class Authenticator:
    """Answers libzmq's question whether a key may come in. One thread; one a context."""

    def __init__(
        self,
        context: zmq.Context[zmq.Socket[bytes]],
        allowed: Callable[[], Mapping[bytes, str]],
        refused: Callable[[str], object],
    ) -> None:
        """`allowed` gives the public keys of today; `refused` is told of each stranger, in one line."""
        self._allowed = allowed
        self._refused = refused
        self.socket = context.socket(zmq.ROUTER)
        """To be polled for input before `answer`."""
        self.socket.setsockopt(zmq.LINGER, 0)
        self.socket.bind(_ENDPOINT)

    def answer(self) -> None:
        """Answer all who knock."""
        try:
            for _ in range(_REQUESTS_PER_TURN):
                self._answer(self.socket.recv_multipart(zmq.DONTWAIT))
        except zmq.Again:
            pass

    def _answer(self, message: list[bytes]) -> None:
        match message:
            case [peer, b"", version, request_id, _, address, _, b"CURVE", key]:
                known = key in self._allowed()
                if not known:
                    self._refused(
                        f"refused {address.decode(errors='replace')}: its key {key.hex()} is not on the list of "
                        f"clients; to let it in: virnucpro-bus keys allow {key.hex()}"
                    )
            case [peer, b"", version, request_id, *_]:
                known, key = False, b""
                self._refused("refused a connection that came without a key")
            case _:
                return
        verdict = (b"200", b"OK", key.hex().encode()) if known else (b"400", b"unknown key", b"")
        self.socket.send_multipart([peer, b"", version, request_id, *verdict, b""])

    def knows(self, user_id: str) -> bool:
        """Whether the key that somebody came in with is still on the list."""
        try:
            return bytes.fromhex(user_id) in self._allowed()
        except ValueError:
            return False
