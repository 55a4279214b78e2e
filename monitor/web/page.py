"""The page itself: its files, put together into one answer that needs nothing else from anywhere."""

from __future__ import annotations

import secrets
from functools import cache
from importlib.resources import files

from monitor.web.answer import Answer

_NONCE_BYTES = 16


def page_answer() -> Answer:
    """Return the page, with a number that only its own script and style have, so that no other can run."""
    nonce = secrets.token_urlsafe(_NONCE_BYTES)
    policy = f"script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; connect-src 'self'; img-src data:"
    return Answer(200, _page().replace("NONCE", nonce).encode(), "text/html; charset=utf-8", policy=policy)


@cache
def _page() -> str:
    folder = files("monitor.web") / "assets"
    html, css, js = ((folder / f"page.{kind}").read_text(encoding="utf-8") for kind in ("html", "css", "js"))
    return html.replace("/* STYLE */", css).replace("/* SCRIPT */", js)
