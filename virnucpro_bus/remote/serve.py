"""Runs a relay: opens it, prints the command with which it can be watched, and serves until the run ends."""

from __future__ import annotations

import resource
from collections.abc import Callable

import click
import zmq

from virnucpro_bus.clock import NANOSECONDS, Clock
from virnucpro_bus.errors import AddressError
from virnucpro_bus.history.protocol import HelloReply, ReadableCapture
from virnucpro_bus.remote.listen_address import ListenAddress, access_for
from virnucpro_bus.remote.relay import Relay
from virnucpro_bus.remote.relay_process import ANNOUNCEMENT
from virnucpro_bus.system.console import say
from virnucpro_bus.system.signals import SignalFlag

POLL_MS = 50
IDLE_POLL_MS = 100
"""Often enough for the relay to notice what fills its memory."""
FINISH_NS = 5 * NANOSECONDS
"""How long viewers may still read after the run has ended."""
MAX_OPEN_FILES = 1 << 16
LINES_PER_PERIOD = 5
PERIOD_NS = 10 * NANOSECONDS


class RateLimitedLog:
    """Reports at most five different refusals in ten seconds and counts the others: nothing can flood the log."""

    def __init__(self, report: Callable[[str], object], clock: Clock) -> None:
        self._report = report
        self._clock = clock
        self._since_ns = clock.mono_ns()
        self._reported: set[str] = set()
        self._suppressed = 0

    def __call__(self, message: str) -> None:
        """Report `message`, or only count it."""
        self._start_period_when_due()
        if message in self._reported or len(self._reported) >= LINES_PER_PERIOD:
            self._suppressed += 1
            return
        self._reported.add(message)
        self._report(message)

    def _start_period_when_due(self) -> None:
        now_ns = self._clock.mono_ns()
        if now_ns - self._since_ns < PERIOD_NS:
            return
        if self._suppressed:
            self._report(f"refused {self._suppressed} more connections since then")
        self._since_ns, self._suppressed = now_ns, 0
        self._reported.clear()


def raise_open_file_limit() -> None:
    """Allow as many connections as the system permits; one that cannot be accepted would keep the loop busy."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_OPEN_FILES if hard == resource.RLIM_INFINITY else min(MAX_OPEN_FILES, hard)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def open_relay(address: ListenAddress, capture: ReadableCapture, hello: HelloReply, clock: Clock) -> Relay:
    """Open a relay and print on stdout how to watch it; refusals go to stderr. Raises UserError."""
    raise_open_file_limit()
    access = access_for(address)
    try:
        relay = Relay(address.url, capture, hello, clock, access, RateLimitedLog(say, clock))
    except zmq.ZMQError as error:
        raise AddressError(f"{address.url}: cannot listen there: {error}") from None
    url = address.seen_from_outside(int(relay.address.rpartition(":")[2]))
    key = "" if access is None else f" --server-key {access.identity.public.hex()}"
    click.echo(f"# {ANNOUNCEMENT} virnucpro-bus monitor {url}{key}")
    return relay


def serve(relay: Relay, signals: SignalFlag, clock: Clock, step: Callable[[], bool]) -> None:
    """Answer viewers until a signal arrives, or until `step` returns True because the capture is complete.

    `step` is called before each poll. At the end viewers have five seconds to read the remaining events.
    """
    while not (step() or signals.signal):
        zmq.select(
            [*relay.sockets(), signals.fileno()], [], [], (POLL_MS if relay.pending else IDLE_POLL_MS) / 1000
        )
        relay.poll()
    deadline_ns = clock.mono_ns() + FINISH_NS
    while clock.mono_ns() < deadline_ns and not relay.delivered:
        zmq.select(relay.sockets(), [], [], POLL_MS / 1000)
        relay.poll()
