"""A hub in a thread of somebody else's program, fed by the thread of Dask's event loop."""

from __future__ import annotations

import os
import threading
import weakref
from collections import deque
from collections.abc import Callable
from contextlib import suppress

import zmq

from virnucpro_bus.capture.compression import compress_capture
from virnucpro_bus.clock import NANOSECONDS, Clock
from virnucpro_bus.dask.roster import Roster
from virnucpro_bus.errors import FrameError
from virnucpro_bus.events.codec import decode
from virnucpro_bus.hub.admission import Admission
from virnucpro_bus.hub.bus_server import BusServer
from virnucpro_bus.run_folder import CAPTURE_NAME
from virnucpro_bus.system.console import say

END_SECONDS = 2.0
"""How long `end` waits for the last events of the workers."""
POLL_MS = 1_000


class HubThread:
    """Runs the hub of `server`, with the events of a Dask cluster. Its methods may be called from any thread."""

    def __init__(self, server: BusServer, clock: Clock) -> None:
        """Start the thread, which from now on owns the open `server` and closes it at its end."""
        self._server = server
        self._clock = clock
        self._roster = Roster(server.run, clock)
        self._refusal = Admission(server.run).refusal
        self._calls: deque[Callable[[], None]] = deque()
        """What the thread is to do, in the order in which it was asked to."""
        self._wakeup = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        # Closed only when nothing can ask any more: the number may then be that of another file.
        weakref.finalize(self, os.close, self._wakeup)
        self._end_ns: int | None = None
        """When the thread ends at the latest; None: not yet."""
        self._thread = threading.Thread(target=self._run, name="bus-hub", daemon=True)
        self._thread.start()

    def take(self, frame: bytes) -> None:
        """Put a frame of a worker on the bus."""
        self._ask(lambda: self._ingest(frame))

    def remove(self, address: str) -> None:
        """Publish that the scheduler has removed a worker, if that is news."""
        self._ask(lambda: self._server.hub.record(self._roster.remove(address)))

    def notify(self, text: str) -> None:
        """Publish a notice for users."""
        self._ask(lambda: self._server.hub.record([self._roster.notice(text, self._server.host)]))

    def end(self) -> None:
        """Wait until all workers have published their end, at most 2 s; then close the hub, in order."""
        self._end_ns = self._clock.mono_ns() + round(END_SECONDS * NANOSECONDS)
        self._ask(lambda: None)
        self._thread.join()

    def _ask(self, call: Callable[[], None]) -> None:
        self._calls.append(call)
        os.eventfd_write(self._wakeup, 1)

    def _ingest(self, frame: bytes) -> None:
        if not self._server.hub.ingest([frame], self._refusal):
            return  # refused, or received before
        with suppress(FrameError):
            self._roster.note(decode(frame))

    def _run(self) -> None:
        hub = self._server.hub
        poller = zmq.Poller()
        for readable in (*hub.sockets(), self._wakeup):
            poller.register(readable, zmq.POLLIN)
        while not self._is_over():
            poller.poll(POLL_MS if self._end_ns is None else POLL_MS // 20)
            with suppress(BlockingIOError):
                os.eventfd_read(self._wakeup)
            while self._calls:
                self._calls.popleft()()
            hub.poll()
            if notice := hub.capture.notice():
                say(notice)
        hub.finish()
        self._server.close()
        compress_capture(self._server.run_dir / CAPTURE_NAME)

    def _is_over(self) -> bool:
        return self._end_ns is not None and (not len(self._roster) or self._clock.mono_ns() >= self._end_ns)
