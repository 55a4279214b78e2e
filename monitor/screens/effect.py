"""The screen of the effect of stealing: every figure of it, the devices, and the latest steals. Pure functions."""

from __future__ import annotations

from rich.text import Text

from monitor.model.selection import ViewOptions
from monitor.model.view_model import ViewModel
from monitor.screens.columns import heading, wrapped
from monitor.view.glyphs import Glyphs
from virnucpro_bus.effect_text import report_paragraph


def effect_lines(model: ViewModel, width: int, room: int, glyphs: Glyphs, options: ViewOptions) -> list[Text]:
    """Return the effect as `virnucpro-bus effect` prints it, so far."""
    title = "EFFECT OF STEALING"
    if model.effect is None:
        return [heading(title, "unknown: there is no plan")]
    return [heading(title), *wrapped(report_paragraph(model.effect).split("\n"), width, glyphs)]
