"""The frame of a drawing: one SVG that a screen reader names, in a box that scrolls on a narrow screen."""

from __future__ import annotations

from collections.abc import Iterable

from monitor.markup.html import Content, Markup, element, number
from monitor.markup.scales import WIDTH

FAILED_PATTERN = "failed"
"""The stripes of failed attempts, so that they are seen without colours."""
STEAL_ARROW = "steal-arrow"


def figure(label: str, height: float, *content: Content, caption: Content = None) -> Markup:
    """Make a drawing `height` pixels high, described by `label`."""
    drawing = element(
        "svg",
        element("title", label),
        *content,
        viewBox=f"0 0 {number(WIDTH)} {number(height)}",
        role="img",
        aria_label=label,
    )
    scrolled = element("div", drawing, class_="scroll", tabindex="0", role="group", aria_label=label)
    return element("figure", scrolled, element("figcaption", caption) if caption is not None else None)


def legend(entries: Iterable[tuple[str, str]]) -> Markup:
    """Make the key of a drawing: (class of the mark, what it stands for)."""
    marks = (element("span", element("i", class_=name, aria_hidden="true"), text) for name, text in entries)
    return element("p", list(marks), class_="key")


def definitions() -> Markup:
    """What all drawings of a page refer to. To be put into it once."""
    stripes = element(
        "pattern",
        element("rect", class_="failed-ground", width="6", height="6"),
        element("path", class_="failed-stripe", d="M0 6L6 0M-1 1L1 -1M5 7L7 5"),
        id=FAILED_PATTERN,
        width="6",
        height="6",
        patternUnits="userSpaceOnUse",
    )
    arrow = element(
        "marker",
        element("path", class_="arrow-head", d="M0 0L7 3.5L0 7z"),
        id=STEAL_ARROW,
        viewBox="0 0 7 7",
        refX="6",
        refY="3.5",
        markerWidth="5.5",
        markerHeight="5.5",
        orient="auto",
    )
    return element(
        "svg", element("defs", stripes, arrow), class_="defs", width="0", height="0", aria_hidden="true"
    )
