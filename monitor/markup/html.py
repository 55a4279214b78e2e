"""Makes HTML and SVG elements: the only place where text becomes markup, and so the only one that escapes."""

from __future__ import annotations

import html
from collections.abc import Iterable

from virnucpro_bus.text import visible

Content = str | int | float | None | Iterable["Content"]
"""What an element contains. Markup stays as it is, other text is escaped; None is left out."""
_VOID = frozenset({"meta", "br"})


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


def element(name: str, /, *content: Content, **attributes: str | float | bool | None) -> Markup:
    """Make an element.

    In the names of attributes a final underscore is left out, and others become hyphens. An attribute that is
    None or False is left out, and of True only the name is written.
    """
    written = "".join(_attribute(key, value) for key, value in attributes.items() if value not in (None, False))
    if name in _VOID:
        return Markup(f"<{name}{written}>")
    return Markup(f"<{name}{written}>{join(content)}</{name}>")


def join(content: Content) -> Markup:
    """Make one piece of markup of all content."""
    if isinstance(content, Markup):
        return content
    if content is None:
        return Markup()
    if isinstance(content, str):
        return Markup(html.escape(visible(content)))
    if isinstance(content, (int, float)):
        return Markup(number(content))
    return Markup("".join(map(join, content)))


def number(value: float, places: int = 1) -> str:
    """Write a coordinate, in pixels with so many decimal places."""
    return f"{value:.{places}f}".removesuffix(".0")


def _attribute(key: str, value: str | float | bool | None) -> str:
    name = key.rstrip("_").replace("_", "-")
    if value is True:
        return f" {name}"
    text = value if isinstance(value, str) else number(value or 0.0)
    return f' {name}="{html.escape(visible(text))}"'


def shortened(text: str, characters: int) -> str:
    """The text as it is shown, or its beginning and an ellipsis: what comes from outside may be of any length."""
    shown = visible(text)
    return shown if len(shown) <= characters else f"{shown[: characters - 1]}…"
