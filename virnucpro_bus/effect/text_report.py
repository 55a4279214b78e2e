"""The effect of stealing in words, as dashboards and commands tell it. Pure functions."""

from __future__ import annotations

from virnucpro_bus.metrics import Effect
from virnucpro_bus.text import visible
from virnucpro_bus.units import UNKNOWN, duration

STEALS_SHOWN = 20


def gain(seconds: float) -> str:
    """What was saved, or lost."""
    return f"{'lost' if seconds < 0 else 'saved'} {duration(abs(seconds))}"


def sentence(effect: Effect) -> str | None:
    """All of it in one line; None when nothing is known."""
    return ", ".join(effect_parts(effect)) or None


def effect_parts(effect: Effect) -> list[str]:
    """The parts of that sentence, each of which can stand without those after it."""
    if effect["makespan_seconds"] is None:
        return []
    moves, above = effect["moves"], effect["above_bound_percent"]
    parts = [f"{moves} move{'' if moves == 1 else 's'}" if moves else "no file moved"]
    if told := outcome(effect):
        parts.append(f"{told} of {duration(effect['makespan_without_stealing_seconds'])}")
    if above is not None:
        parts.append(f"{max(0.0, above):.1f} % above the bound")
    return parts


def outcome(effect: Effect) -> str | None:
    """What all moves together have saved or lost, or will; None when there was none, or that is unknown."""
    saved = effect["saved_seconds"]
    if saved is None or not effect["moves"]:
        return None
    # What is only expected is not told as if it were done.
    return gain(saved) if _is_over(effect) else f"will {'lose' if saved < 0 else 'save'} {duration(abs(saved))}"


def report_paragraph(effect: Effect) -> str:
    """All of it, on several lines."""
    figures = [
        ("makespan", duration(effect["makespan_seconds"])),
        ("expected", duration(effect["makespan_expected_seconds"])),
        ("without stealing", duration(effect["makespan_without_stealing_seconds"])),
        ("lower bound", duration(effect["lower_bound_seconds"])),
        ("tail", duration(effect["tail_seconds"])),
        ("jain index", _ratio(effect["jain_index"])),
        ("max/mean finish", _ratio(effect["max_over_mean_finish"])),
    ]
    lines = [f"{name:<17} {value:>8}" for name, value in figures]
    lines.insert(0, f"stealing          {sentence(effect) or 'nothing is known: no plan was recorded'}")
    names = [visible(key) for key in effect["idle_seconds"]]
    wide = max(map(len, [*names, "device"]))
    if names:
        lines += ["", f"{'device':<{wide}} {'busy':>9} {'idle':>9} {'finish':>9}"]
    for name, key in zip(names, effect["idle_seconds"], strict=True):
        times = [duration(effect[what].get(key)) for what in ("busy_seconds", "idle_seconds", "finish_seconds")]
        lines.append(f"{name:<{wide}} " + " ".join(f"{time:>9}" for time in times))
    steals = effect["steals"][-STEALS_SHOWN:]
    if steals:
        left_out = len(effect["steals"]) - len(steals)
        lines += ["", f"steals{f', the last {len(steals)} of {left_out + len(steals)}' if left_out else ''}"]
    for steal in steals:
        saved = steal["saved_seconds"]
        ids = f"{visible(str(steal['dest_gpu']))} <- {visible(str(steal['source_gpu']))}"
        lines.append(f"  {ids}  {visible(steal['file_name'])}  {UNKNOWN if saved is None else gain(saved)}")
    return "\n".join(lines)


def _is_over(effect: Effect) -> bool:
    now, expected = effect["makespan_seconds"], effect["makespan_expected_seconds"]
    return now is None or expected is None or expected <= now


def _ratio(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:.3f}"
