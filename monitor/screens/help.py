"""The screen that lists the keys. Pure functions."""

from __future__ import annotations

from rich.text import Text

from monitor.model.selection import ViewOptions
from monitor.model.view_model import ViewModel
from monitor.screens.columns import heading
from monitor.view.glyphs import MARGIN, Glyphs

_KEY_CELLS = 17
_SECTIONS: dict[str, tuple[tuple[str, str], ...]] = {
    "SCREENS": (
        ("up, down", "choose a device"),
        ("enter", "the device: its figures, files, steals and logs"),
        ("f", "files: in progress, slowest, failed"),
        ("l", "logs: what attempts and workers printed; n, p: another log"),
        ("e", "the effect of stealing, in all its figures"),
        ("?", "this list"),
        ("esc, or q", "back to the table; there q ends a monitor"),
    ),
    "TABLE": (
        ("n, p", "the next page, the page before; or page down, page up"),
        ("s", "order: by name, greatest utilization, longest queue"),
    ),
    "IN A REPLAY": (
        ("space", "pause, and go on"),
        ("right, left", "10 s forward or back"),
        ("+, -", "twice or half the rate"),
    ),
    "MARKS": (
        ("!  !!", "what needs attention; !! is worse"),
        ("n/a", "unknown; a column in which nothing is known is left out"),
        ("+2 -1 in STEALS", "took two files from other queues, lost one of its own"),
    ),
}


def help_lines(model: ViewModel, width: int, room: int, glyphs: Glyphs, options: ViewOptions) -> list[Text]:
    """Return the keys and what they do, with blank lines between the sections if they fit."""
    has_gaps = sum(len(entries) + 2 for entries in _SECTIONS.values()) <= room + 1
    lines: list[Text] = []
    for title, entries in _SECTIONS.items():
        lines += [Text()] * (has_gaps and bool(lines)) + [heading(title)]
        lines += [Text(f"{MARGIN}  ").append(f"{key:<{_KEY_CELLS}}", "bold").append(does) for key, does in entries]
    return lines
