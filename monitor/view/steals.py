"""The stealing in a frame: its effect on the run, and the latest steals. Pure functions."""

from __future__ import annotations

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from monitor.model.view_model import ViewModel
from monitor.view.glyphs import MARGIN, Glyphs
from virnucpro_bus.clock import NANOSECONDS, local_time_of_day
from virnucpro_bus.effect_text import gain
from virnucpro_bus.health.rows import device_label, qualifiers
from virnucpro_bus.metrics import Range
from virnucpro_bus.units import UNKNOWN

NAME_CELLS = 8
"""The least width of a file's name; what the steal saved is left out if it would get less."""
ALONE = "  saved: by each one alone"
LABEL_CELLS = 16
"""Longer labels of devices and hosts are cut."""


def effect_line(model: ViewModel, width: int, glyphs: Glyphs) -> list[Text]:
    """Return the effect of stealing on the run in one line; no line while it is unknown."""
    effect = model.effect
    if effect is None or (not effect["moves"] and effect["above_bound_percent"] is None):
        return []
    if not model.stealing:
        return []
    lead = f"{MARGIN}stealing: "
    return [Text(lead + glyphs.join_fitting(model.stealing, width - len(lead), ", "), "dim")]


def latest_steals(model: ViewModel, width: int, room: int, glyphs: Glyphs) -> list[Text]:
    """Return a heading and the latest steals, newest first, in at most `room` lines; never only the heading.

    A steal stays on one host, which is shown where there are several.
    """
    recent = model.steals[: -1 - max(0, room - 1) : -1]
    if not recent:
        return []
    pairs = [(steal["dest_gpu"], steal["source_gpu"]) for steal in recent]
    labels = [[glyphs.shorten(glyphs.text(device_label(each)), LABEL_CELLS) for each in pair] for pair in pairs]
    label_cells = [max(cell_len(pair[side]) for pair in labels) for side in (0, 1)]
    hosts = [glyphs.shorten(glyphs.text(steal["host"]), LABEL_CELLS) for steal in recent]
    host_cells = max(map(cell_len, hosts)) if "host" in qualifiers(model.rows) else 0
    saved = _saved(model)
    heading = Text(f"{MARGIN}RECENT STEALS", "bold cyan")
    if saved and width >= cell_len(heading.plain + ALONE):
        heading.append(ALONE, "dim")
    lines = [heading]
    for steal, host, (thief, victim) in zip(recent, hosts, labels, strict=True):
        text = Text(MARGIN).append(_time_of_day(steal["timestamp"]), "dim")
        if host_cells:
            text.append(f" {set_cell_size(host, host_cells)}")
        text.append(f" {set_cell_size(thief, label_cells[0])} <- {set_cell_size(victim, label_cells[1])} ")
        seconds, low_and_high = saved.get((steal["host"], steal["file_name"], steal["timestamp"]), (None, None))
        result = "" if seconds is None else f" {gain(seconds, low_and_high)}"
        room = width - cell_len(text.plain)
        if room - len(result) < NAME_CELLS:
            result = ""
        name = glyphs.text(steal["file_name"]) or UNKNOWN
        text.append(glyphs.shorten(name, max(NAME_CELLS, room - len(result)), keep_end=True))
        most = seconds if low_and_high is None else low_and_high[1]
        has_lost = seconds is not None and seconds < 0 and (most is None or most < 0)
        lines.append(text.append(result, "yellow" if has_lost else "dim"))
    return lines


def _time_of_day(seconds: float | None) -> str:
    """The time of a steal, in eight cells."""
    return UNKNOWN.ljust(8) if seconds is None else local_time_of_day(round(seconds * NANOSECONDS))


def _saved(model: ViewModel) -> dict[tuple[str, str, float | None], tuple[float, Range | None]]:
    """What each steal has saved, and the range, by host, file and time; without those for which it is unknown."""
    steals = [] if model.effect is None else model.effect["steals"]
    return {
        (steal["host"], steal["file_name"], steal["timestamp"]): (saved, steal["saved_range"])
        for steal in steals
        if (saved := steal["saved_seconds"]) is not None
    }
