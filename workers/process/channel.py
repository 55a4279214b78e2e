"""The worker's end of the request-reply channel to the launcher."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import zmq

from virnucpro_bus.errors import ChannelError
from workers.protocol import Answer, Request, Settled, Unable, WorkerConfig, decode_answer, encode_request

RETRY_MS = 5_000
"""A request that is not answered for this long is sent again, with the same number."""
_POLL_MS = 200
_LINGER_MS = 500


class Channel:
    """Sends one request at a time to the launcher and waits for its answer. For one thread at a time."""

    def __init__(self, config: WorkerConfig, launcher_alive: Callable[[], bool]) -> None:
        self._config = config
        self._launcher_alive = launcher_alive
        self._number = 0
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.DEALER)
        self._socket.setsockopt(zmq.LINGER, _LINGER_MS)
        self._socket.connect(config.channel)

    def ask(self, settled: Sequence[Settled] = (), unable: Unable | None = None) -> Answer:
        """Report what was settled, or why nothing can be, and wait for the answer without a time limit.

        Raises ChannelError when the launcher has died or ends this worker, or when its answer cannot be decoded.
        """
        self._number += 1
        config = self._config
        request = encode_request(
            Request(config.token, config.slot, config.epoch, self._number, tuple(settled), unable)
        )
        self._socket.send(request)
        waited_ms = 0
        while self._launcher_alive():
            if self._socket.poll(_POLL_MS):
                answer = decode_answer(self._socket.recv())
                if answer.number == self._number:
                    return answer
            waited_ms += _POLL_MS
            if waited_ms >= RETRY_MS:
                waited_ms = 0
                self._socket.send(request)
        raise ChannelError("the launcher has closed the pipe to this worker")

    def close(self) -> None:
        """Close the socket, after half a second at most for what has not been sent."""
        self._context.destroy(linger=_LINGER_MS)
