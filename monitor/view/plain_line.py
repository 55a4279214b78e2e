"""A view model as one plain line, for logs and grep. Pure functions."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from monitor.model.paging import attention_first, rows_in_view
from monitor.model.selection import EVERYTHING, ViewOptions
from monitor.model.view_model import HINT, NOTICE, ViewModel
from monitor.view.formatting import loading_time, memory_used, percent, plain_count, rate
from monitor.view.glyphs import NO_WORK, STALLED, STATE_WORDS, UNICODE
from virnucpro_bus.clock import iso_utc
from virnucpro_bus.effect_text import outcome
from virnucpro_bus.health.problems import is_stalled
from virnucpro_bus.health.rows import Qualifier, Row, qualified_label, qualifiers
from virnucpro_bus.metrics import is_stale
from virnucpro_bus.text import visible
from virnucpro_bus.units import UNKNOWN, duration, likely_duration

DEVICES_CHARACTERS = 480
"""How much of a line devices may take; those that do not fit are counted."""
LABEL_CELLS = 40
"""Longer labels of devices are cut."""
TEXTS_SHOWN = 3
"""How many problems, and how many notices, a line names; the others are counted."""
PROBLEM_CHARACTERS, NOTICE_CHARACTERS = 80, 160
"""Longer problems and notices are cut."""
Writer = Callable[[Row, Sequence[Qualifier]], str]
"""Writes one device."""
_SHOWN_WITH_DEVICES = {"lost", "silent", "stale", "stalled"}
"""The kinds of problems that stand beside their devices."""


def line(model: ViewModel, options: ViewOptions = EVERYTHING) -> str:
    """Return the whole state as one line of bounded length, without control characters.

    Problems appear in their brief form, in every line while they last; a notice appears in one line only.
    """
    totals = model.totals
    parts = [f"{iso_utc(model.now_ns)[:19]}Z {NO_WORK if model.is_of_gpus_alone else _progress(model)}"]
    if model.is_simulated:
        parts.append("simulated GPU figures")
    if loading := sum(metrics["state"] == "loading" for metrics, _ in model.rows):
        parts.append(f"{loading} loading")
    write = _gpu if model.is_of_gpus_alone else _device
    devices, left_out = _devices(rows_in_view(model.rows, options), qualifiers(model.rows), write)
    parts += devices
    if left_out:
        parts.append(f"{left_out} more devices")
    if not model.is_of_gpus_alone:
        saved = None if model.effect is None else outcome(model.effect)
        parts.append(f"steals {plain_count(totals['steals'])}{f' {saved}' if saved else ''}")
    if totals["events_lost"]:
        parts.append(f"events lost {totals['events_lost']}")
    shown_elsewhere = {NOTICE, HINT, "lost events"} | (set() if left_out else _SHOWN_WITH_DEVICES)
    others = [problem.brief or problem.text for problem in model.health if problem.kind not in shown_elsewhere]
    parts += _first_texts(others, PROBLEM_CHARACTERS, "problems")
    parts += _first_texts(model.news, NOTICE_CHARACTERS, "notices")
    return " | ".join(parts)


def _progress(model: ViewModel) -> str:
    totals = model.totals
    files_total = "" if totals["files_total"] is None else f"/{totals['files_total']}"
    eta = likely_duration(model.eta_seconds, model.eta_range)
    return (
        f"files {plain_count(totals['files_completed'])}{files_total}"
        f" failed {plain_count(totals['files_failed'])} {rate(model.throughput)} seq/s"
        f" elapsed {duration(model.elapsed_seconds)} {model.end_or_draining or f'eta {eta}'}"
    )


def _first_texts(texts: Sequence[str], characters: int, what: str) -> list[str]:
    """The first of `texts`, and the number of the others."""
    first = [UNICODE.shorten(visible(text), characters) for text in texts[:TEXTS_SHOWN]]
    more = len(texts) - len(first)
    return [*first, f"{more} more {what}"] if more else first


def _devices(rows: Sequence[Row], needed: Sequence[Qualifier], write: Writer) -> tuple[list[str], int]:
    """The devices that fit, those that need attention first if not all fit; and how many are left out."""
    devices = _fitting_devices(rows, needed, write)
    if len(devices) < len(rows):
        devices = _fitting_devices(attention_first(rows), needed, write)
    return devices, len(rows) - len(devices)


def _fitting_devices(rows: Sequence[Row], needed: Sequence[Qualifier], write: Writer) -> list[str]:
    devices: list[str] = []
    left = DEVICES_CHARACTERS
    for row in rows:
        devices.append(write(row, needed))
        left -= len(devices[-1])
        if left < 0:
            return devices[:-1]
    return devices


def _device(row: Row, needed: Sequence[Qualifier]) -> str:
    metrics, _ = row
    throughput, loading = metrics["throughput"], loading_time(metrics)
    known = UNKNOWN if throughput is None else f"{rate(throughput)}/s"
    words = [*_load(row, needed), known if loading is None else f"loading {loading}"]
    return " ".join([*words, f"q{plain_count(metrics['queue_depth'])}"])


def _gpu(row: Row, needed: Sequence[Qualifier]) -> str:
    """A GPU on which nobody works."""
    _, figures = row
    used = memory_used(figures["memory_used_bytes"], figures["memory_total_bytes"])
    celsius, watts = figures["temperature"], figures["power_watts"]
    words = [
        *_load(row, needed),
        *(UNKNOWN if value is None else f"{value:.0f}{unit}" for value, unit in ((celsius, "C"), (watts, "W"))),
    ]
    return " ".join([*words, used])


def _load(row: Row, needed: Sequence[Qualifier]) -> list[str]:
    """The label, a state that needs attention, and the load."""
    metrics, utilization = row
    # A run's folder may have a long path, of which the end matters, as does the device after it.
    label = UNICODE.shorten(qualified_label(metrics, needed), LABEL_CELLS, keep_end="run" in needed)
    states = [
        STATE_WORDS.get(metrics["state"] or ""),
        STALLED if is_stalled(metrics) else None,
        "STALE" if is_stale(utilization) else None,
    ]
    compute, cpu = utilization["compute_percent"], metrics["cpu_percent"]
    if compute is None and metrics["gpus"] == []:  # a CPU worker
        load = [] if cpu is None else [f"cpu {percent(cpu)}"]
    else:
        load = [percent(compute)]
    return [label, *[state for state in states if state][:1], *load]
