"""The characters and words that a frame is drawn with, and how text is made to fit. Pure functions."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from rich.cells import cell_len, set_cell_size

from virnucpro_bus.text import visible

MARGIN = " "
GAP = "  "
STATE_WORDS = {"lost": "LOST", "silent": "SILENT"}


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
    bars: str = "▁▂▃▄▅▆▇█"
    """Of a sparkline, the lowest first."""
    unknown: str = "·"
    """In a sparkline, where a value was not known."""
    ascii_only: bool = False

    def text(self, raw: str) -> str:
        """`raw`, which may come from outside, as it may stand on this screen."""
        safe = visible(raw)
        return safe.encode("ascii", "backslashreplace").decode() if self.ascii_only else safe

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

    def bar(self, share: float, cells: int) -> tuple[str, str]:
        """The full and the remaining part of a bar, `cells` long together; only a whole share fills it."""
        full = min(cells, max(0, int(share * cells)))
        return self.full * full, self.rest * (cells - full)


UNICODE = Glyphs()
ASCII = Glyphs("#", "-", "~", "C", "ok", "*", "o", ".", "x", "v", "_.-=#", " ", ascii_only=True)
"""For a terminal whose encoding is not a Unicode one."""


def state_word(state: str, glyphs: Glyphs) -> str:
    return STATE_WORDS.get(state) or glyphs.shorten(glyphs.text(state), 8)


def counts(states: Counter[str], glyphs: Glyphs) -> str:
    """For example "6 busy  1 idle  1 LOST", the most frequent first."""
    return GAP.join(f"{count} {state_word(state, glyphs)}" for state, count in states.most_common(4))
