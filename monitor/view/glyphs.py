"""The characters that a frame is drawn with, and the texts that are made of them. Pure functions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len, chop_cells, set_cell_size

from monitor.model.trends import SAMPLES_KEPT
from virnucpro_bus.text import visible
from virnucpro_bus.units import UNKNOWN

MARGIN = " "
"""At either side of a frame."""
GAP = "  "
"""Between two columns, or two words of a line."""
STATE_WORDS = {"lost": "LOST", "silent": "SILENT"}
"""The states that are written in capitals, because they are problems."""
STALLED = "STALLED"
NO_WORK = "no work in progress"
"""In place of the progress of a run, where there is nothing but GPUs."""
STATE_CELLS = 8
STATES_COUNTED = 4
"""How many states a count names, the most frequent first."""


@dataclass(frozen=True)
class Glyphs:
    """A set of characters for drawing, for Unicode or for ASCII."""

    full: str = "━"
    empty: str = "─"
    ellipsis: str = "…"
    degrees: str = "°C"
    fine: str = "✓"
    busy: str = "●"
    idle: str = "○"
    ended: str = "·"
    lost: str = "×"
    greatest_first: str = "▼"
    chosen: str = "▶"
    bars: str = "▁▂▃▄▅▆▇"
    """Of a sparkline, the lowest first; without the full block, which would merge with the row below."""
    unknown: str = "·"
    """In a sparkline, an unknown value."""
    ascii_only: bool = False

    def text(self, raw: str) -> str:
        """Return `raw`, which may come from outside, in a form that is safe to print."""
        safe = visible(raw)
        if not self.ascii_only:
            return safe
        return safe.replace(UNICODE.degrees, self.degrees).encode("ascii", "backslashreplace").decode()

    def shorten(self, text: str, cells: int, *, keep_end: bool = False) -> str:
        """Return `text` in at most `cells` terminal cells, with an ellipsis where it was cut."""
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

    def wrap(self, text: str, cells: int, lines: int) -> list[str]:
        """Return `text` in at most `lines` lines of `cells` cells, broken between words where possible.

        Ends with an ellipsis if it does not fit.
        """
        wrapped: list[str] = []
        while len(wrapped) < lines - 1 and cell_len(text) > cells:
            piece = chop_cells(text[: 4 * cells], cells)[0]
            at = piece.rfind(" ") if text[len(piece)] != " " else len(piece)
            # A word that would leave half of the line empty is broken instead.
            at = at if at > len(piece) // 2 else len(piece)
            wrapped.append(text[:at].rstrip())
            text = text[at:].lstrip()
        return [*wrapped, self.shorten(text, cells)]

    def join_fitting(self, parts: Sequence[str], cells: int, separator: str = GAP) -> str:
        """Join as many of `parts`, from the first, as fit whole; cut the first one if even that does not fit."""
        for count in range(len(parts), 1, -1):
            if cell_len(text := separator.join(parts[:count])) <= cells:
                return text
        return self.shorten(parts[0], cells) if parts else ""

    def bar(self, done: int, failed: int, total: int, cells: int) -> tuple[str, str, str]:
        """Return the parts of a progress bar, `cells` long together: done, failed, remaining.

        Only a finished run fills the bar, and a failure is always visible.
        """
        settled = cells if done + failed >= total else (done + failed) * cells // total
        bad = max(1, failed * cells // max(total, failed)) if failed else 0
        good = max(0, settled - bad)
        return self.full * good, self.lost * bad, self.empty * (cells - good - bad)

    def sparkline(self, values: Sequence[float | None], top: float) -> str:
        """Return one character per value, SAMPLES_KEPT long, the latest at the right; blank before the first.

        `top` is the value of the highest bar. If it is 0 every known value has the lowest bar.
        """
        highest = len(self.bars) - 1

        def bar(value: float) -> str:
            share = min(1.0, max(0.0, value / top)) if top > 0 else 0.0
            return self.bars[round(share * highest)]

        bars = (self.unknown if value is None else bar(value) for value in values[-SAMPLES_KEPT:])
        return "".join(bars).rjust(SAMPLES_KEPT)

    def state(self, state: str | None) -> str:
        """Return the word for a device's state."""
        if state is None:
            return UNKNOWN
        return STATE_WORDS.get(state) or self.shorten(self.text(state), STATE_CELLS)

    def state_counts(self, states: Counter[str | None]) -> str:
        """Return for example "6 busy  1 idle  1 LOST", the most frequent first."""
        return GAP.join(f"{count} {self.state(state)}" for state, count in states.most_common(STATES_COUNTED))


UNICODE = Glyphs()
ASCII = Glyphs("#", "-", "~", "C", "ok", "*", "o", ".", "x", "v", ">", "_.-=#", " ", ascii_only=True)
"""For a terminal whose encoding is not a Unicode one."""
