"""The listening socket: few connections at once, each with little time, on a port or on a local socket."""

from __future__ import annotations

import errno
import os
import socket
import stat
import threading
from contextlib import suppress
from pathlib import Path
from socketserver import TCPServer, ThreadingMixIn

from monitor.web.access import LOCAL_NAMES, Access
from monitor.web.feed import Feed
from monitor.web.handler import Handler
from monitor.web.pace import Pace
from monitor.web.sources import PageSources
from virnucpro_bus.clock import NANOSECONDS, SystemClock
from virnucpro_bus.errors import AddressError
from virnucpro_bus.files.socket_folder import is_listening
from virnucpro_bus.remote.http_address import HttpAddress, TcpAddress, UnixAddress
from virnucpro_bus.remote.listen_address import bracketed

MAX_CONNECTIONS = 32
MAX_VIEWERS = 24
"""Connections that stay open, for pages; the others remain for what reads once."""
_FULL = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
_REASONS = {
    errno.EADDRINUSE: "another process listens there; choose another port, or 0 for any free one",
    errno.EADDRNOTAVAIL: "is not an address of this machine",
}

Connection = socket.socket | tuple[bytes, socket.socket]
"""A socket, as socketserver declares it."""


class Server(ThreadingMixIn, TCPServer):
    """Answers each connection in a thread of its own. `serve_forever` belongs to one thread."""

    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    request_queue_size = 64

    def __init__(self, address: HttpAddress, token: str, sources: PageSources, feed: Feed, pace: Pace) -> None:
        """Listen at `address`. Raises AddressError."""
        self.sources = sources
        self.feed = feed
        self.pace = pace
        self.viewers = threading.BoundedSemaphore(MAX_VIEWERS)
        self._places = threading.BoundedSemaphore(MAX_CONNECTIONS)
        self._socket_file: tuple[Path, int] | None = None
        """The local socket that we have made, and its inode; None on a port."""
        self._address = address
        try:
            if isinstance(address, UnixAddress):
                self.address_family = socket.AF_UNIX
                _remove_stale_socket(address)
                super().__init__(os.fsencode(address.path), Handler)  # type: ignore[arg-type]
            else:
                self.address_family = socket.AF_INET6 if address.host.version == 6 else socket.AF_INET
                super().__init__((str(address.host), address.port), Handler)
        except OSError as error:
            reason = _REASONS.get(error.errno or 0) or f"cannot listen there: {error.strerror}"
            raise AddressError(f"{address}: {reason}") from None
        self.access = _access_at(address, self.port, token)

    @property
    def port(self) -> int | None:
        """The port that was bound; None for a local socket."""
        return None if isinstance(self._address, UnixAddress) else int(self.server_address[1])

    def wait_for_viewers(self, seconds: float) -> None:
        """Wait until no page is connected, at most `seconds`; they go once the feed is closed."""
        clock = SystemClock()
        deadline_ns = clock.mono_ns() + round(seconds * NANOSECONDS)
        for _ in range(MAX_VIEWERS):
            self.viewers.acquire(timeout=max(0.0, (deadline_ns - clock.mono_ns()) / NANOSECONDS))

    def server_bind(self) -> None:
        """Bind; a local socket is this user's alone before anybody can connect to it."""
        super().server_bind()
        if isinstance(self._address, UnixAddress):
            path = self._address.path
            self._socket_file = path, path.lstat().st_ino
            path.chmod(0o600)

    def server_close(self) -> None:
        """Close the socket, and remove it if it is a file, and still ours."""
        super().server_close()
        if self._socket_file is not None:
            path, inode = self._socket_file
            with suppress(OSError):
                if path.lstat().st_ino == inode:
                    path.unlink()

    def process_request(self, request: Connection, client_address: object) -> None:
        """Start a thread for a connection, or close it where there are too many."""
        if self._places.acquire(blocking=False):
            super().process_request(request, client_address)
            return
        if isinstance(request, socket.socket):
            with suppress(OSError):
                request.send(_FULL, socket.MSG_DONTWAIT)
        self.shutdown_request(request)

    def process_request_thread(self, request: Connection, client_address: object) -> None:
        """Answer a connection, and leave its place."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._places.release()

    def handle_error(self, request: object, client_address: object) -> None:
        """Report nothing: a client that misbehaves must not fill a screen or a log."""


def _access_at(address: HttpAddress, port: int | None, token: str) -> Access:
    """Return the rules: the names of a private address are known, those of others are not."""
    if not isinstance(address, TcpAddress):
        return Access(token)
    own = {bracketed(str(address.host))}
    return Access(token, LOCAL_NAMES | own if address.is_private else None, port, address.is_private)


def _remove_stale_socket(address: UnixAddress) -> None:
    """Remove the socket of a process that was killed. Raises AddressError for anything else at that path."""
    path = address.path
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise AddressError(f"{address}: exists and is not a socket; choose another path")
    if is_listening(f"ipc://{path}"):
        raise AddressError(f"{address}: another process listens there; choose another path")
    path.unlink()
