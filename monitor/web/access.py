"""Which requests are answered, and why others are not: a pure function of the request and the listener's rules.

A browser runs the pages of anybody, on a machine where others may have accounts. So a request is refused when it
is not a read, when it names another host than ours (a name of elsewhere that was made to lead here), when the page
of another site makes it, and when it lacks the token. The token comes once in the address of the page, and is then
kept by the browser in a cookie that scripts cannot read and other sites do not get sent.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import parse_qs

from monitor.web.answer import Answer, plain

PAGE, EVENTS, REPORT, HEALTH, METRICS = "/", "/events", "/api/report", "/healthz", "/metrics"
PATHS = frozenset({PAGE, EVENTS, REPORT, HEALTH, METRICS})
METHODS = ("GET", "HEAD")
LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})
_FOR_ANYBODY_HERE = frozenset({HEALTH, METRICS})
"""They name no file, so that every user of this machine may read them."""
_HOST = re.compile(r"(\[[0-9a-f:.]{2,45}\]|[0-9a-z.-]{1,253})(?::([0-9]{1,5}))?", re.ASCII)
_HTTP_PORT = 80
_MAX_FIELDS = 8
"""Of a query; ours has one."""


@dataclass(frozen=True)
class Request:
    """The head of a request, as it was received."""

    method: str
    target: str
    """The path and the query."""
    headers: Sequence[tuple[str, str]] = ()

    @property
    def path(self) -> str:
        """The path, as it was written."""
        return self.target.partition("?")[0]

    def values(self, name: str) -> list[str]:
        """Return the values of a header, in order."""
        return [value.strip() for key, value in self.headers if key.lower() == name]

    def value(self, name: str) -> str | None:
        """Return the first value of a header; None: it is absent."""
        return next(iter(self.values(name)), None)


@dataclass(frozen=True)
class Access:
    """The rules of one listener."""

    token: str
    names: frozenset[str] | None = LOCAL_NAMES
    """The hosts under which it is reached; None: any, because it has a name that only others know."""
    port: int | None = None
    """The port under which it is reached; None: any, because a tunnel leads to it."""
    is_private: bool = True
    """Whether only this machine can reach it."""

    @property
    def cookie(self) -> str:
        """The name of the cookie: a browser sends those of all ports of a host to each of them."""
        return f"virnucpro-{hashlib.sha256(self.token.encode()).hexdigest()[:8]}"

    def refusal(self, request: Request) -> Answer | None:
        """Return the answer to a request that is refused, or that brings the token; None: it may be answered."""
        if request.method not in METHODS:
            return plain(405, "this page can only be read", {"Allow": ", ".join(METHODS)})
        hosts = request.values("host")
        if len(hosts) != 1:
            return plain(400, "expected one Host header")
        if not self._is_ours(hosts[0].lower()):
            return plain(421, self._where())
        if self._comes_from_another_site(request):
            return plain(403, "the pages of other sites may not read this")
        if request.path not in PATHS:
            return plain(404, "not found")
        if self.is_private and request.path in _FOR_ANYBODY_HERE:
            return None
        return self._check_token(request)

    def _is_ours(self, host: str) -> bool:
        found = _HOST.fullmatch(host)
        if found is None:
            return False
        name, port = found.groups()
        is_our_port = self.port is None or int(port or _HTTP_PORT) == self.port
        return self.names is None or (name in self.names and is_our_port)

    def _where(self) -> str:
        if self.port is None:
            return "open this page as localhost"
        return f"open this page as localhost:{self.port}; a tunnel needs the same port at both of its ends"

    @staticmethod
    def _comes_from_another_site(request: Request) -> bool:
        """Whether a browser says that a page of another origin asks; a link to our page may be anywhere."""
        if set(request.values("sec-fetch-site")) <= {"none", "same-origin"}:
            return False
        is_navigation = request.value("sec-fetch-mode") == "navigate"
        return not (request.path == PAGE and is_navigation and request.value("sec-fetch-dest") == "document")

    def _check_token(self, request: Request) -> Answer | None:
        given = self._in_address(request)
        known = [*request.values("authorization"), *given, *self._in_cookies(request)]
        if not any(self._is_token(each) for each in known):
            return plain(
                401,
                "open the address that was printed at the start, with its token; a program sends the header "
                "Authorization: Bearer TOKEN",
                {"WWW-Authenticate": "Bearer"},
            )
        if not given:
            return None
        kept = f"{self.cookie}={self.token}; HttpOnly; SameSite=Strict; Path=/"
        if request.value("sec-fetch-site") in (None, "none", "same-origin"):
            return plain(303, "continue without the token", {"Location": "./", "Set-Cookie": kept})
        # After a redirect from another site's link the browser would not send the cookie; from our page it does.
        return plain(200, "continue without the token", {"Refresh": "0; url=./", "Set-Cookie": kept})

    @staticmethod
    def _in_address(request: Request) -> list[str]:
        if request.path != PAGE:
            return []
        try:
            fields = parse_qs(request.target.partition("?")[2], max_num_fields=_MAX_FIELDS)
        except ValueError:
            return []
        return [f"Bearer {token}" for token in fields.get("token", [])]

    def _in_cookies(self, request: Request) -> list[str]:
        # By hand: other programs of this host may have set cookies that a strict parser stops at.
        cookies = [cookie.strip() for header in request.values("cookie") for cookie in header.split(";")]
        start = f"{self.cookie}="
        return [f"Bearer {cookie[len(start) :]}" for cookie in cookies if cookie.startswith(start)]

    def _is_token(self, credentials: str) -> bool:
        scheme, _, token = credentials.partition(" ")
        is_equal = hmac.compare_digest(token.strip().encode(errors="surrogatepass"), self.token.encode())
        return scheme.lower() == "bearer" and is_equal
