"""The header of a frame: the run, the states of its devices, and its progress. Pure functions."""

from __future__ import annotations

from collections import Counter

from rich.cells import cell_len
from rich.text import Text

from monitor.model.view_model import ViewModel
from monitor.view.formatting import count, describe_devices
from monitor.view.glyphs import GAP, MARGIN, NO_WORK, Glyphs
from virnucpro_bus.clock import local_time_of_day
from virnucpro_bus.units import duration, likely_duration

BAR_CELLS = 6
"""The least width of a progress bar."""
SIMULATED, SIMULATED_BRIEFLY = "SIMULATED GPU FIGURES", "SIMULATED"
LEAST_FIRST = ("elapsed", "percent", "range", "failed", "end")
"""The parts of the progress line, in the order in which they are left out if there is no room."""


def title_line(model: ViewModel, width: int, glyphs: Glyphs) -> Text:
    """Return the title, and as far as there is room the devices, how many are in which state, and the time."""
    inner = width - 2 * len(MARGIN)
    text = Text(MARGIN)
    if model.is_simulated:
        # Before the title, so that it is cut last.
        text.append(SIMULATED if inner >= 2 * len(SIMULATED) else SIMULATED_BRIEFLY, "bold yellow").append(GAP)
    left = inner - len(text) + len(MARGIN)
    name = glyphs.shorten(glyphs.text(model.title or "virnucpro-bus"), max(1, left))
    text.append(name, "bold")
    time_of_day = local_time_of_day(model.now_ns)
    states = glyphs.state_counts(Counter(metrics["state"] for metrics, _ in model.rows)) + GAP + time_of_day
    summary = glyphs.text(describe_devices(model.rows))
    devices = summary and GAP + summary
    for beside, right in ((devices, states), ("", states), ("", time_of_day)):
        space = left - cell_len(name + beside) - cell_len(right)
        if space >= len(GAP):
            return text.append(beside + " " * space + right, "dim")
    return text


def progress_line(model: ViewModel, width: int, glyphs: Glyphs, *, is_untitled: bool = False) -> Text:
    """Return the progress: a bar, files done/total, percent, failed, elapsed, ETA.

    Parts that do not fit are left out, and the bar takes the remaining width. `is_untitled`: no title line above
    says that figures are simulated.
    """
    text = Text(MARGIN)
    if is_untitled and model.is_simulated:
        text.append(SIMULATED_BRIEFLY + GAP, "bold yellow")
    parts, room = _progress_parts(model), width - len(text) - len(MARGIN)
    for name in LEAST_FIRST:
        if len(GAP.join(parts.values())) > room:
            parts.pop(name, None)
    totals, bar_cells = model.totals, room - len(GAP.join(parts.values())) - len(GAP)
    completed, total = totals["files_completed"], totals["files_total"]
    if bar_cells >= BAR_CELLS and total and completed is not None:
        done, failed, remaining = glyphs.bar(completed, totals["files_failed"] or 0, total, bar_cells)
        text.append(done, "green").append(failed, "red").append(remaining + GAP, "dim")
    for name, part in parts.items():
        text.append(part if name == "files" else GAP + part, "yellow" if name == "failed" else "")
    return text


def _progress_parts(model: ViewModel) -> dict[str, str]:
    """The parts of the progress line, in order."""
    if model.is_of_gpus_alone:
        return {"files": NO_WORK}
    totals = model.totals
    done, failed, total = totals["files_completed"], totals["files_failed"], totals["files_total"]
    parts = {"files": f"{count(done)} files done" if total is None else f"{count(done)}/{total:,} files"}
    if total is not None and done is not None:
        parts["percent"] = f"{100 * done // total if total else 100}%"
    if failed:
        parts["failed"] = f"!{failed:,} failed"
    parts["elapsed"] = f"elapsed {duration(model.elapsed_seconds)}"
    point, range_follows, low_and_high = likely_duration(model.eta_seconds, model.eta_range).partition(" (")
    parts["end"] = model.end_or_draining or f"ETA {point}"
    if range_follows and not model.end:
        parts["range"] = f"({low_and_high}"
    return parts
