"""The listener of a fleet: open while it is watched, and closed with the last figures delivered."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from monitor.model.collector import Collector, Failures
from monitor.model.selection import EVERYTHING, ViewOptions, select
from monitor.web.feed import Feed
from monitor.web.figures import TREND_SAMPLES, page_figures
from monitor.web.pace import Pace
from monitor.web.server import Server
from monitor.web.sources import PageSources
from virnucpro_bus.clock import Clock, SystemClock
from virnucpro_bus.fold.fleet_group import FleetGroup
from virnucpro_bus.fold.report import FleetReport
from virnucpro_bus.remote.http_address import HttpAddress, HttpListen, UnixAddress
from virnucpro_bus.remote.listen_address import bracketed
from virnucpro_bus.text import visible

CLOSE_SECONDS = 1.0
"""How long the last figures may take, and how long viewers have to receive them."""
_ACCEPT_SECONDS = 0.2
"""How often the accepting thread looks whether it is to end."""
_EXAMPLE_PORT = 8765


@contextmanager
def listening(
    listen: HttpListen,
    fleets: FleetGroup,
    report: Callable[[], FleetReport],
    *,
    title: Callable[[], str],
    view: ViewOptions = EVERYTHING,
    interval_seconds: float = 2.0,
) -> Iterator[str]:
    """Serve `fleets` while entered; gives the address to open, in one line.

    `report` returns the object of `--json`, `title` the name on the page. Raises UserError when it cannot listen.
    """
    clock, token, closing = SystemClock(), listen.token(), threading.Event()
    figures = _Figures(fleets, clock, title, view, interval_seconds)
    # The page has a pace of its own: whoever asks for metrics all the time must not keep it waiting.
    feed = Feed(figures.make, interval_seconds, Pace(clock, closing.wait))
    sources = PageSources(report, lambda accept: _metrics(fleets, accept), lambda: figures.state)
    with Server(listen.address, token, sources, feed, Pace(clock, closing.wait)) as server:
        accepting = threading.Thread(target=server.serve_forever, args=(_ACCEPT_SECONDS,), daemon=True)
        feed.start()
        accepting.start()
        try:
            yield address_to_open(listen, server.port, token)
        finally:
            closing.set()
            feed.close(CLOSE_SECONDS)
            server.shutdown()
            server.wait_for_viewers(CLOSE_SECONDS)


def address_to_open(listen: HttpListen, port: int | None, token: str) -> str:
    """Return the address of the page, in one line. The token of a file is not repeated: its user has it."""
    file = listen.token_file
    query = f"?token={token}" if file is None else ""
    kept = "" if file is None else f", with ?token= and the token in {visible(str(file))}"
    address: HttpAddress = listen.address
    if isinstance(address, UnixAddress):
        path = visible(str(Path(address.path).absolute()))
        tunnel = f"ssh -N -L {_EXAMPLE_PORT}:{path} {socket.gethostname()}"
        return f"http://localhost:{_EXAMPLE_PORT}/{query}{kept}, through: {tunnel}"
    host = socket.gethostname() if address.host.is_unspecified else bracketed(str(address.host))
    return f"http://{host}:{port}/{query}{kept}"


def _metrics(fleets: FleetGroup, accept: str | None) -> tuple[bytes, str]:
    """Return the metrics, and their content type."""
    from monitor.prometheus.exposition import exposition  # takes long to load, and few need it

    return exposition(fleets, accept)


class _Figures:
    """Makes the figures of the page, and keeps how the run stands."""

    def __init__(
        self,
        fleets: FleetGroup,
        clock: Clock,
        title: Callable[[], str],
        view: ViewOptions,
        interval_seconds: float,
    ) -> None:
        self.state = "starting"
        """The state of the run: starting, running, or how it has ended."""
        self._fleets = fleets
        self._title = title
        self._devices = view.devices
        self._failures = Failures()
        self._collector = Collector(fleets, fleets, clock, self._failures, interval_seconds, TREND_SAMPLES)

    def make(self) -> bytes:
        """Return the figures of this moment, as JSON in one line."""
        with self._fleets.frozen():
            model = self._collector.collect(self._title(), None)
            model = replace(model, health=(*model.health, *self._failures.problems()))
            runs = self._fleets.runs()
        self.state = model.end or ("running" if model.rows else "starting")
        rows = model.rows if self._devices is None else select(model.rows, self._devices)
        return json.dumps(page_figures(model, rows, runs), separators=(",", ":"), allow_nan=False).encode()
