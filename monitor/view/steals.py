"""What a frame says of stealing: its effect on the run, and the latest steals. Pure functions."""

from __future__ import annotations

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from monitor.model.view_model import ViewModel, device_label, has_several_hosts
from monitor.view.glyphs import MARGIN, Glyphs
from virnucpro_bus.clock import NANOSECONDS, local_time_of_day
from virnucpro_bus.effect.text_report import effect_parts, gain

NAME_CELLS = 8
"""What a file's name needs at least; what came of the steal is left out before."""


def stealing(snapshot: ViewModel, width: int, glyphs: Glyphs) -> list[Text]:
    """What stealing has done for the run, in one line; none while there is nothing to tell."""
    effect = snapshot.effect
    if effect is None or (not effect["moves"] and effect["above_bound_percent"] is None):
        return []
    told = effect_parts(effect)
    if not told:
        return []
    lead = f"{MARGIN}stealing: "
    return [Text(lead + glyphs.fitting(told, width - len(lead), ", "), "dim")]


def _saved(snapshot: ViewModel) -> dict[tuple[str, str, float], float]:
    """What steals have saved, by host, file and time, where that is known."""
    steals = [] if snapshot.effect is None else snapshot.effect["steals"]
    return {
        (steal["host"], steal["file_name"], steal["timestamp"]): saved
        for steal in steals
        if (saved := steal["saved_seconds"]) is not None
    }


def latest_steals(snapshot: ViewModel, width: int, room: int, glyphs: Glyphs) -> list[Text]:
    """A heading and the latest steals, newest first, in at most `room` lines; never a heading alone. A steal stays
    on its host."""
    recent = snapshot.steals[: -1 - max(0, room - 1) : -1]
    if not recent:
        return []
    pairs = [(steal["dest_gpu"], steal["source_gpu"]) for steal in recent]
    labels = [[glyphs.shorten(glyphs.text(device_label(device)), 16) for device in pair] for pair in pairs]
    wide = [max(cell_len(pair[side]) for pair in labels) for side in (0, 1)]
    hosts = [glyphs.shorten(glyphs.text(steal["host"]), 16) for steal in recent]
    host_cells = max(map(cell_len, hosts)) if has_several_hosts(snapshot.rows) else 0
    saved = _saved(snapshot)
    lines = [Text(f"{MARGIN}RECENT STEALS", "bold cyan")]
    for steal, host, (thief, victim) in zip(recent, hosts, labels, strict=True):
        text = Text(MARGIN).append(local_time_of_day(round(steal["timestamp"] * NANOSECONDS)), "dim")
        if host_cells:
            text.append(f" {set_cell_size(host, host_cells)}")
        text.append(f" {set_cell_size(thief, wide[0])} <- {set_cell_size(victim, wide[1])} ")
        seconds = saved.get((steal["host"], steal["file_name"], steal["timestamp"]))
        came_of_it = "" if seconds is None else f" {gain(seconds)}"
        room = width - cell_len(text.plain)
        if room - len(came_of_it) < NAME_CELLS:
            came_of_it = ""
        name = glyphs.text(steal["file_name"])
        text.append(glyphs.shorten(name, max(NAME_CELLS, room - len(came_of_it)), keep_end=True))
        lines.append(text.append(came_of_it, "dim" if seconds is None or seconds >= 0 else "yellow"))
    return lines
