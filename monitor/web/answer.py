"""An answer to a request, with the headers that keep browsers from doing more with it than showing it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

_NOTHING_ELSE = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
_EVERYWHERE = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Connection": "close",
}


@dataclass(frozen=True)
class Answer:
    """The status, headers and content of an answer."""

    status: int
    body: bytes = b""
    content_type: str = "text/plain; charset=utf-8"
    extra: Mapping[str, str] = field(default_factory=dict)
    """Further headers."""
    policy: str = ""
    """What a browser may do with it, besides showing it."""

    @property
    def headers(self) -> dict[str, str]:
        """All headers but the length."""
        policy = f"{_NOTHING_ELSE}; {self.policy}" if self.policy else _NOTHING_ELSE
        return {
            "Content-Type": self.content_type,
            **_EVERYWHERE,
            "Content-Security-Policy": policy,
            **self.extra,
        }


def plain(status: int, text: str, extra: Mapping[str, str] | None = None) -> Answer:
    """Return a line of text."""
    return Answer(status, f"{text}\n".encode(), extra=extra or {})


def json_answer(body: bytes) -> Answer:
    """Return an object."""
    return Answer(200, body, "application/json")
