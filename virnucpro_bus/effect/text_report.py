"""The effect of stealing as text, for dashboards and commands. Pure functions."""

from __future__ import annotations

from virnucpro_bus.metrics import Effect
from virnucpro_bus.text import visible
from virnucpro_bus.units import UNKNOWN, duration

STEALS_SHOWN = 20
"""How many of the latest steals the paragraph lists."""
_NO_EFFECT = "unknown: no file was started, or the plan is incomplete"


def gain(seconds: float) -> str:
    """Describe the time that was saved, or lost if `seconds` is negative."""
    return f"{'lost' if seconds < 0 else 'saved'} {duration(abs(seconds))}"


def sentence(effect: Effect) -> str | None:
    """Describe the effect in one line; None if it is unknown."""
    return ", ".join(effect_parts(effect)) or None


def effect_parts(effect: Effect) -> list[str]:
    """Return the parts of that line; any of them may be left out from the end. Empty if the effect is unknown."""
    if effect["makespan_seconds"] is None:
        return []
    moves, above = effect["moves"], effect["above_bound_percent"]
    parts = [f"{moves} move{'' if moves == 1 else 's'}" if moves else "no file moved"]
    if result := outcome(effect):
        parts.append(f"{result} of {duration(effect['makespan_without_stealing_seconds'])}")
    if above is not None:
        parts.append(f"{max(0.0, above):.1f} % above the lower bound")
    return parts


def outcome(effect: Effect) -> str | None:
    """Describe what all moves together have saved or lost, or will; None if there are none, or it is unknown."""
    saved = effect["saved_seconds"]
    if saved is None or not effect["moves"]:
        return None
    # A forecast must not read like a result.
    return gain(saved) if _is_over(effect) else f"will {'lose' if saved < 0 else 'save'} {duration(abs(saved))}"


def report_paragraph(effect: Effect) -> str:
    """Describe the effect on several lines: all figures, the devices, and the latest steals."""
    figures = [
        ("makespan", duration(effect["makespan_seconds"])),
        ("expected", duration(effect["makespan_expected_seconds"])),
        ("without stealing", duration(effect["makespan_without_stealing_seconds"])),
        ("lower bound", duration(effect["lower_bound_seconds"])),
        ("tail", duration(effect["tail_seconds"])),
        ("Jain's index", _ratio(effect["jain_index"])),
        ("max/mean finish", _ratio(effect["max_over_mean_finish"])),
    ]
    lines = [f"{name:<17} {value:>8}" for name, value in figures]
    lines.insert(0, f"stealing          {sentence(effect) or _NO_EFFECT}")
    names = [visible(key) for key in effect["idle_seconds"]]
    width = max(map(len, [*names, "device"]))
    if names:
        lines += ["", f"{'device':<{width}} {'busy':>9} {'idle':>9} {'finish':>9}"]
    columns = effect["busy_seconds"], effect["idle_seconds"], effect["finish_seconds"]
    for name, key in zip(names, effect["idle_seconds"], strict=True):
        times = [duration(seconds.get(key)) for seconds in columns]
        lines.append(f"{name:<{width}} " + " ".join(f"{time:>9}" for time in times))
    steals = effect["steals"][-STEALS_SHOWN:]
    if steals:
        all_steals = len(effect["steals"])
        lines += ["", f"steals (the last {len(steals)} of {all_steals})" if len(steals) < all_steals else "steals"]
    for steal in steals:
        saved = steal["saved_seconds"]
        ids = f"{visible(str(steal['dest_gpu']))} <- {visible(str(steal['source_gpu']))}"
        lines.append(f"  {ids}  {visible(steal['file_name'])}  {UNKNOWN if saved is None else gain(saved)}")
    return "\n".join(lines)


def _is_over(effect: Effect) -> bool:
    makespan, expected = effect["makespan_seconds"], effect["makespan_expected_seconds"]
    return makespan is None or expected is None or expected <= makespan


def _ratio(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:.3f}"
