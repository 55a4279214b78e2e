"""A live page of a made-up fleet, and requests to it."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from monitor.web.listener import listening
from virnucpro_bus.fold.fleet import FleetState
from virnucpro_bus.fold.fleet_group import FleetGroup
from virnucpro_bus.remote.http_address import parse_http

ANSWER_SECONDS = 20.0


class Page:
    """A live page, by the address that was printed for it."""

    def __init__(self, address: str) -> None:
        self.address = address
        parts = urlsplit(address.split()[0])
        self.port = int(parts.port or 0)
        self.token = parts.query.removeprefix("token=")

    def ask(
        self,
        path: str,
        headers: Mapping[str, str] | None = None,
        *,
        method: str = "GET",
        with_token: bool = True,
    ) -> HTTPResponse:
        """Ask and return the answer, of which the content is not read yet."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=ANSWER_SECONDS)
        token = {"Authorization": f"Bearer {self.token}"} if with_token else {}
        connection.request(method, path, headers={**token, **(headers or {})})
        return connection.getresponse()

    def get(self, path: str, **headers: str) -> tuple[int, str]:
        """Ask with the token, and return status and content."""
        answer = self.ask(path, headers)
        return answer.status, answer.read().decode()

    def status(self, path: str, **headers: str) -> int:
        """Ask without the token, and return the status alone."""
        answer = self.ask(path, headers, with_token=False)
        answer.read()
        return answer.status

    def connect(self) -> socket.socket:
        """A connection on which nothing was sent yet."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=ANSWER_SECONDS)

    def figures(self) -> Iterator[dict[str, Any]]:
        """Each of the figures that a viewer is sent, until the listener ends the stream."""
        for line in self.ask("/events"):
            if line.startswith(b"data: "):
                yield json.loads(line.removeprefix(b"data: "))


@contextmanager
def served(
    fleet: FleetState, http: str = "0", token_file: Path | None = None, *, interval_seconds: float = 0.05
) -> Iterator[Page]:
    """Serve the fleet, as the run "made-up"."""
    fleets = FleetGroup({"made-up": fleet})
    listen = parse_http(http, token_file)
    page = listening(listen, fleets, fleets.report, title=lambda: "made-up", interval_seconds=interval_seconds)
    with page as address:
        yield Page(address)
