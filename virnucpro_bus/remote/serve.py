"""The loop of a relay, the line that says where it can be watched, and how it complains: not too often."""

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
from virnucpro_bus.system.console import say
from virnucpro_bus.system.signals import SignalFlag

ANNOUNCEMENT = "serving; watch it with:"
"""Begins what a relay says once it listens; whoever has started it waits for that."""
TURN_MS = 50
IDLE_TURN_MS = 500
FAREWELL_NS = 5 * NANOSECONDS
MAX_OPEN_FILES = 1 << 16
LINES_PER_PERIOD = 5
PERIOD_NS = 10 * NANOSECONDS


class RateLimitedLog:
    """Tells the first few things of each ten seconds, and how many more there were: nobody can flood the log."""

    def __init__(self, tell: Callable[[str], object], clock: Clock) -> None:
        self._tell = tell
        self._clock = clock
        self._since_ns = clock.mono_ns()
        self._told: set[str] = set()
        self._untold = 0

    def __call__(self, message: str) -> None:
        """Tell it now, or only count it."""
        self._begin_anew()
        if message in self._told or len(self._told) >= LINES_PER_PERIOD:
            self._untold += 1
            return
        self._told.add(message)
        self._tell(message)

    def _begin_anew(self) -> None:
        """Begin the next ten seconds when it is time."""
        now_ns = self._clock.mono_ns()
        if now_ns - self._since_ns < PERIOD_NS:
            return
        if self._untold:
            self._tell(f"{self._untold} more were refused since")
        self._since_ns, self._untold = now_ns, 0
        self._told.clear()


def raise_open_file_limit() -> None:
    """Let this process hold as many connections as the system allows: what it cannot accept, it is asked again."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_OPEN_FILES if hard == resource.RLIM_INFINITY else min(MAX_OPEN_FILES, hard)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def open_relay(address: ListenAddress, recorded: ReadableCapture, hello: HelloReply, clock: Clock) -> Relay:
    """A relay at `address`, announced on standard output; refusals go to standard error. Raises UserError."""
    raise_open_file_limit()
    access = access_for(address)
    complain = RateLimitedLog(say, clock)
    try:
        relay = Relay(address.url, recorded, hello, clock, access, complain)
    except zmq.ZMQError as error:
        raise AddressError(f"{address.url}: cannot listen there: {error}") from None
    seen = address.seen_from_outside(int(relay.address.rpartition(":")[2]))
    key = "" if access is None else f" --server-key {access.identity.public.hex()}"
    click.echo(f"# {ANNOUNCEMENT} virnucpro-bus monitor {seen}{key}")
    return relay


def serve(relay: Relay, signals: SignalFlag, clock: Clock, step: Callable[[], bool]) -> None:
    """Answer viewers until a signal comes, or `step`, called at every turn, says that nothing more will come.

    Then those who watch get what they have not read yet, within five seconds.
    """
    poller = zmq.Poller()
    for source in relay.sockets():
        poller.register(source, zmq.POLLIN)
    poller.register(signals.fileno(), zmq.POLLIN)
    while not (step() or signals.signal):
        poller.poll(TURN_MS if relay.pending else IDLE_TURN_MS)
        relay.poll()
    poller.unregister(signals.fileno())
    until_ns = clock.mono_ns() + FAREWELL_NS
    while clock.mono_ns() < until_ns and not relay.delivered:
        poller.poll(TURN_MS)
        relay.poll()
