"""One connection: receives the head of one request, checks it, and answers it."""

from __future__ import annotations

import io
import json
import socket
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, cast

from monitor.web import access
from monitor.web.access import Request
from monitor.web.answer import Answer, json_answer, plain
from monitor.web.pace import BusyError
from monitor.web.page import page_answer
from virnucpro_bus.clock import NANOSECONDS, SystemClock

if TYPE_CHECKING:
    from monitor.web.server import Server

HEAD_BYTES = 16 << 10
HEAD_SECONDS = 3.0
"""In which a request's head must have come …"""
SEND_SECONDS = 10.0
"""… and in which a viewer must have read what it is sent."""
CLOSE_SECONDS = 0.5
"""How long a viewer may still send what nobody reads, before the connection is closed."""
RETRY_MS = 2000
"""After which a page connects again."""
SILENCE_SECONDS = 15.0
"""After which a comment shows a viewer, and what is between, that the connection is alive."""


class Handler(BaseHTTPRequestHandler):
    """Answers one request. No request can make it read a file."""

    protocol_version = "HTTP/1.1"
    request_version = default_request_version = "HTTP/1.0"
    command = requestline = ""
    timeout = SEND_SECONDS

    def handle(self) -> None:
        """Answer, and close the connection: it is simple, and the viewers are few."""
        head = self._receive_head()
        if head is None:
            return
        self.rfile = io.BytesIO(head)
        self.raw_requestline = self.rfile.readline()
        if self.parse_request():
            request = Request(self.command, self.path, tuple(self.headers.items()))
            refused = self._server.access.refusal(request)
            if refused is not None:
                self._send(refused)
            elif request.path == access.EVENTS and self.command == "GET":
                self._send_events()
            else:
                self._send(self._answer(request))

    def _receive_head(self) -> bytes | None:
        """Return the request up to the end of its head, or what came with it; None: it did not come in time."""
        clock, connection = SystemClock(), self.connection
        deadline_ns = clock.mono_ns() + round(HEAD_SECONDS * NANOSECONDS)
        head = b""
        while b"\r\n\r\n" not in head and b"\n\n" not in head:
            left_ns = deadline_ns - clock.mono_ns()
            if left_ns <= 0:
                return None
            if len(head) >= HEAD_BYTES:
                self._send(plain(431, f"the request is longer than {HEAD_BYTES >> 10} KiB"))
                return None
            connection.settimeout(left_ns / NANOSECONDS)
            try:
                piece = connection.recv(HEAD_BYTES - len(head))
            except OSError:
                return None
            if not piece:
                return None
            head += piece
        connection.settimeout(SEND_SECONDS)
        return head

    def _answer(self, request: Request) -> Answer:
        """Return the answer to a request that is allowed."""
        server = self._server
        try:
            match request.path:
                case access.PAGE:
                    return page_answer()
                case access.HEALTH:
                    return self._health()
                case access.REPORT:
                    report = server.pace.run(server.sources.report)
                    return json_answer(json.dumps(report).encode() + b"\n")
                case access.METRICS:
                    accept = request.value("accept")
                    body, content_type = server.pace.run(lambda: server.sources.metrics(accept))
                    return Answer(200, body, content_type)
                case _:  # HEAD of the events
                    return Answer(200, content_type="text/event-stream")
        except BusyError:
            return plain(503, "busy: try again later", {"Retry-After": "5"})
        except Exception as error:
            return plain(500, f"the figures cannot be computed: {type(error).__name__}")

    def _health(self) -> Answer:
        failure = self._server.feed.failure
        if failure is not None:
            return plain(500, f"the figures cannot be computed: {type(failure).__name__}")
        return plain(200, f"ok {self._server.sources.state()}")

    def _send(self, answer: Answer) -> None:
        try:
            self._send_head(answer, {"Content-Length": str(len(answer.body))})
            if self.command != "HEAD":
                self.wfile.write(answer.body)
            self._let_it_read()
        except OSError:
            pass  # the viewer has gone, or does not read

    def _send_head(self, answer: Answer, more: dict[str, str]) -> None:
        self.send_response(answer.status)
        for name, value in (answer.headers | more).items():
            self.send_header(name, value)
        self.end_headers()

    def _send_events(self) -> None:
        """Send the figures whenever there are new ones, until the viewer or the listener goes."""
        server = self._server
        if not server.viewers.acquire(blocking=False):
            self._send(plain(503, "too many viewers: close another page", {"Retry-After": "30"}))
            return
        try:
            kind = Answer(200, content_type="text/event-stream", extra={"X-Accel-Buffering": "no"})
            self._send_head(kind, {})
            self.wfile.write(b"retry: %d\n\n" % RETRY_MS)
            number = 0
            # A page connects again by itself after the end of a stream, but not after another status than 200.
            while not server.feed.failure:
                last, is_last = number, server.feed.is_closed
                number, figures = server.feed.after(last, SILENCE_SECONDS)
                self.wfile.write(b"data: %b\n\n" % figures if number > last else b": still here\n\n")
                if is_last:
                    break
        except OSError:
            pass  # the viewer has gone, or does not read
        finally:
            server.viewers.release()

    def _let_it_read(self) -> None:
        """Keep what was sent from being thrown away because the viewer's own data was never read."""
        self.connection.shutdown(socket.SHUT_WR)
        self.connection.settimeout(CLOSE_SECONDS)
        self.connection.recv(HEAD_BYTES)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answer a request that could not be parsed; nothing of it is repeated."""
        self._send(plain(code, "this is not a request that can be answered"))

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing: requests are no news, and hold what anybody wrote."""

    def version_string(self) -> str:
        """Return the name of the program, without versions."""
        return "virnucpro-bus"

    @property
    def _server(self) -> Server:
        return cast("Server", self.server)
