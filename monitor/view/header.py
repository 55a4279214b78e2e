"""What a frame says above the table: which run it is, how its devices are, how far it has come. Pure functions."""

from __future__ import annotations

from collections import Counter

from rich.cells import cell_len
from rich.text import Text

from monitor.model.view_model import ViewModel
from monitor.view.formatting import describe_devices
from monitor.view.glyphs import GAP, MARGIN, Glyphs, counts
from virnucpro_bus.clock import local_time_of_day
from virnucpro_bus.units import duration

BAR_CELLS = 6
"""The least of a progress bar."""
SIMULATED, SIMULATED_BRIEFLY = "SIMULATED GPU FIGURES", "SIMULATED"
LEAST_FIRST = ("elapsed", "percent", "failed", "end")
"""Words on the progress, in the order in which they are left out where there is no room."""


def title(snapshot: ViewModel, width: int, glyphs: Glyphs) -> Text:
    """The title, and what does not crowd it: the devices, how many are in which state, and the time of day."""
    inner = width - 2 * len(MARGIN)
    text = Text(MARGIN)
    if snapshot.is_simulated:
        # Before the title, so that this is cut last.
        text.append(SIMULATED if inner >= 2 * len(SIMULATED) else SIMULATED_BRIEFLY, "bold yellow").append(GAP)
    left = inner - len(text) + len(MARGIN)
    name = glyphs.shorten(glyphs.text(snapshot.title or "virnucpro-bus"), max(1, left))
    text.append(name, "bold")
    time_of_day = local_time_of_day(snapshot.now_ns)
    states = counts(Counter(metrics["state"] for metrics, _ in snapshot.rows), glyphs) + GAP + time_of_day
    together = glyphs.text(describe_devices(snapshot.rows))
    devices = together and GAP + together
    for beside, right in ((devices, states), ("", states), ("", time_of_day)):
        space = left - cell_len(name + beside) - cell_len(right)
        if space >= len(GAP):
            return text.append(beside + " " * space + right, "dim")
    return text


def progress(snapshot: ViewModel, width: int, glyphs: Glyphs, *, untitled: bool = False) -> Text:
    """Bar, files done/total, percent, failed, elapsed, ETA: as many of the words as have room, and the bar in what
    is left. `untitled`: no title above says that figures are made up."""
    text = Text(MARGIN)
    if untitled and snapshot.is_simulated:
        text.append(SIMULATED_BRIEFLY + GAP, "bold yellow")
    words, room = _words(snapshot), width - len(text) - len(MARGIN)
    for name in LEAST_FIRST:
        if len(GAP.join(words.values())) > room:
            words.pop(name, None)
    totals, bar_cells = snapshot.totals, room - len(GAP.join(words.values())) - len(GAP)
    if bar_cells >= BAR_CELLS and totals["files_total"]:
        done, failed, rest = glyphs.bar(
            totals["files_completed"], totals["files_failed"], totals["files_total"], bar_cells
        )
        text.append(done, "green").append(failed, "red").append(rest + GAP, "dim")
    for name, word in words.items():
        text.append(word if name == "files" else GAP + word, "yellow" if name == "failed" else "")
    return text


def _words(snapshot: ViewModel) -> dict[str, str]:
    """What is to be said of the progress, in that order."""
    totals = snapshot.totals
    done, failed, total = totals["files_completed"], totals["files_failed"], totals["files_total"]
    words = {"files": f"{done:,} files done" if total is None else f"{done:,}/{total:,} files"}
    if total is not None:
        words["percent"] = f"{100 * done // total if total else 100}%"
    if failed:
        words["failed"] = f"!{failed:,} failed"
    words["elapsed"] = f"elapsed {duration(snapshot.elapsed_seconds)}"
    words["end"] = snapshot.end or f"ETA {duration(snapshot.eta_seconds)}"
    return words
