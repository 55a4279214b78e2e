"""The characters and words that a frame is drawn with, and how text is made to fit. Pure functions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len, chop_cells, set_cell_size

from monitor.model.trends import SAMPLES_KEPT
from virnucpro_bus.text import visible

MARGIN = " "
GAP = "  "
STATE_WORDS = {"lost": "LOST", "silent": "SILENT"}
STALLED = "STALLED"


@dataclass(frozen=True)
class Glyphs:
    """The characters that a frame is drawn with."""

    full: str = "━"
    rest: str = "─"
    ellipsis: str = "…"
    degrees: str = "°C"
    fine: str = "✓"
    busy: str = "●"
    idle: str = "○"
    ended: str = "·"
    lost: str = "×"
    greatest_first: str = "▼"
    bars: str = "▁▂▃▄▅▆▇"
    """Of a sparkline, the lowest first; without the full block, for those of two rows would melt into one."""
    unknown: str = "·"
    """In a sparkline, where a value was not known."""
    ascii_only: bool = False

    def text(self, raw: str) -> str:
        """`raw`, which may come from outside, as it may stand on this screen."""
        safe = visible(raw)
        if not self.ascii_only:
            return safe
        return safe.replace(UNICODE.degrees, self.degrees).encode("ascii", "backslashreplace").decode()

    def shorten(self, text: str, cells: int, *, keep_end: bool = False) -> str:
        """`text` in at most `cells` terminal cells, with an ellipsis where it was cut."""
        # Combining marks take no cell, but a name of nothing else must be bounded too.
        characters = 4 * cells
        if len(text) <= characters and cell_len(text) <= cells:
            return text
        if not keep_end:
            return set_cell_size(text[:characters], max(0, cells - 1)).rstrip() + self.ellipsis
        tail = text[-cells:]
        while tail and cell_len(tail) >= cells:
            tail = tail[1:]
        return self.ellipsis + tail

    def wrapped(self, text: str, cells: int, lines: int) -> list[str]:
        """`text` in at most `lines` lines of so many cells, broken between words where there are any; an ellipsis
        where even that was not enough."""
        told: list[str] = []
        while len(told) < lines - 1 and cell_len(text) > cells:
            piece = chop_cells(text[: 4 * cells], cells)[0]
            at = piece.rfind(" ") if text[len(piece)] != " " else len(piece)
            # A word that would leave half of the line empty is rather broken itself.
            at = at if at > len(piece) // 2 else len(piece)
            told.append(text[:at].rstrip())
            text = text[at:].lstrip()
        return [*told, self.shorten(text, cells)]

    def fitting(self, parts: Sequence[str], cells: int, between: str = GAP) -> str:
        """As many of `parts`, the first ones, as fit whole; of the very first what fits."""
        for count in range(len(parts), 1, -1):
            if cell_len(text := between.join(parts[:count])) <= cells:
                return text
        return self.shorten(parts[0], cells) if parts else ""

    def bar(self, done: int, failed: int, total: int, cells: int) -> tuple[str, str, str]:
        """The parts of a bar for what is done, what has failed, and what is left, `cells` long together.

        Only a whole that is settled fills it, and what has failed is never too little to be seen.
        """
        settled = cells if done + failed >= total else (done + failed) * cells // total
        bad = max(1, failed * cells // max(total, failed)) if failed else 0
        good = max(0, settled - bad)
        return self.full * good, self.lost * bad, self.rest * (cells - good - bad)


UNICODE = Glyphs()
ASCII = Glyphs("#", "-", "~", "C", "ok", "*", "o", ".", "x", "v", "_.-=#", " ", ascii_only=True)
"""For a terminal whose encoding is not a Unicode one."""


def state_word(state: str, glyphs: Glyphs) -> str:
    return STATE_WORDS.get(state) or glyphs.shorten(glyphs.text(state), 8)


def counts(states: Counter[str], glyphs: Glyphs) -> str:
    """For example "6 busy  1 idle  1 LOST", the most frequent first."""
    return GAP.join(f"{count} {state_word(state, glyphs)}" for state, count in states.most_common(4))


def sparkline(values: Sequence[float | None], top: float, glyphs: Glyphs) -> str:
    """One character a value, the latest at the right, LOOKS_KEPT long; blank where there was no look yet.

    `top` is the value of the highest bar. Where it is 0 all known values are drawn as the lowest.
    """

    def bar(value: float) -> str:
        share = min(1.0, max(0.0, value / top)) if top > 0 else 0.0
        return glyphs.bars[round(share * (len(glyphs.bars) - 1))]

    drawn = [glyphs.unknown if value is None else bar(value) for value in values[-SAMPLES_KEPT:]]
    return "".join(drawn).rjust(SAMPLES_KEPT)
