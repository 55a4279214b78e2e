"""The effect of stealing as text, for dashboards and commands. Pure functions."""

from __future__ import annotations

import math

from virnucpro_bus.metrics import Effect, Range
from virnucpro_bus.text import visible
from virnucpro_bus.units import UNKNOWN, between, duration, likely_duration

STEALS_SHOWN = 20
"""How many of the latest steals the paragraph lists."""
NOISE_SECONDS = 1.0
"""By about so much two runs of the same files differ, whatever the files: a start takes longer, or a disk."""
_LOADING = "(of all workers; before the first file it is in no other figure, after that it is in idle)"
_NO_EFFECT = "unknown: no file was started, or the plan is incomplete"


def gain(seconds: float | None, low_and_high: Range | None, saved: str = "saved", lost: str = "lost") -> str:
    """Describe the time that was saved, or lost if `seconds` is negative, with its range. See Range for None."""

    def word(known: float) -> str:
        return lost if known < 0 else saved

    if seconds is None:
        return (
            UNKNOWN if low_and_high is None else f"{word(low_and_high[0])} {likely_duration(None, low_and_high)}"
        )
    if low_and_high is None or low_and_high[1] is None:
        return f"{word(seconds)} {duration(abs(seconds))}"
    low, high = low_and_high[0], low_and_high[1]
    if low < 0 <= high:
        ends = between(f"{lost} {duration(-low)}", f"{saved} {duration(high)}")
        return f"{word(seconds)} {duration(abs(seconds))} {ends}"
    return f"{word(seconds)} {likely_duration(abs(seconds), (low, high) if seconds >= 0 else (-high, -low))}"


def count_steals(count: int) -> str:
    """Return "1 steal" or "1,200 steals"."""
    return f"{count:,} steal{'' if count == 1 else 's'}"


def sentence(effect: Effect, steals: int | None = None) -> str | None:
    """Describe the effect in one line; None if it is unknown. `steals` is as for `effect_parts`."""
    return ", ".join(effect_parts(effect, steals)) or None


def effect_parts(effect: Effect, steals: int | None = None) -> list[str]:
    """Return the parts of that line; any of them may be left out from the end. Empty if the effect is unknown.

    `steals` is the number of all steals of the run, of which the effect may count fewer; None: that is not shown.
    """
    if effect["makespan_seconds"] is None:
        return []
    moves = effect["moves"]
    counted = count_steals(moves) if moves else "no file stolen"
    parts = [f"{moves:,} of {count_steals(steals)}" if steals is not None and steals > moves else counted]
    if result := outcome(effect):
        without = effect["makespan_without_stealing_seconds"]
        of = (
            "" if without is None else f" of {likely_duration(without, effect['makespan_without_stealing_range'])}"
        )
        parts.append(result + of)
    if is_above_noise(effect):
        parts.append(f"{_above_bound(effect)} above the lower bound")
    return parts


def is_above_noise(effect: Effect) -> bool:
    """Whether the distance from the lower bound is known, and more than chance would make of another run."""
    percent, low_and_high, bound = (
        effect["above_bound_percent"],
        effect["above_bound_range"],
        effect["lower_bound_seconds"],
    )
    if percent is None or bound is None or percent * bound < 100 * NOISE_SECONDS:
        return False
    if low_and_high is None or low_and_high[1] is None:
        return True
    return low_and_high[1] - low_and_high[0] <= 2 * percent


def outcome(effect: Effect) -> str | None:
    """Describe what all steals together have saved or lost, or will; None if there are none, or it is unknown."""
    saved, low_and_high = effect["saved_seconds"], effect["saved_range"]
    if not effect["moves"] or (saved is None and low_and_high is None):
        return None
    # A forecast must not read like a result.
    return gain(saved, low_and_high) if _is_over(effect) else gain(saved, low_and_high, "will save", "will lose")


def figures_paragraph(effect: Effect) -> str:
    """Describe the effect on several lines: all figures of the whole run."""
    figures = [
        ("makespan", duration(effect["makespan_seconds"])),
        ("expected", likely_duration(effect["makespan_expected_seconds"], effect["makespan_expected_range"])),
        (
            "without stealing",
            likely_duration(
                effect["makespan_without_stealing_seconds"], effect["makespan_without_stealing_range"]
            ),
        ),
        ("lower bound", likely_duration(effect["lower_bound_seconds"], effect["lower_bound_range"])),
        ("tail", duration(effect["tail_seconds"])),
        ("Jain's index", _ratio(effect["jain_index"])),
        ("max/mean finish", _ratio(effect["max_over_mean_finish"])),
    ]
    lines = [f"{name:<17} {_aligned(value)}" for name, value in figures]
    lines.insert(0, f"stealing          {sentence(effect) or _NO_EFFECT}")
    if loading := effect["loading_seconds"]:
        lines.append(f"{'loading':<17} {_aligned(f'{duration(math.fsum(loading.values()))} {_LOADING}')}")
    return "\n".join(lines)


def report_paragraph(effect: Effect) -> str:
    """Describe the effect on several lines: all figures, the devices, and the latest steals."""
    lines, loading = [figures_paragraph(effect)], effect["loading_seconds"]
    columns = effect["busy_seconds"], effect["idle_seconds"], effect["finish_seconds"], loading
    keys = list(effect["idle_seconds"] or loading)
    names = [visible(key) for key in keys]
    width = max(map(len, [*names, "device"]))
    if names:
        heads = " ".join(f"{head:>9}" for head in ("busy", "idle", "finish", "loading"))
        lines += ["", f"{'device':<{width}} {heads}"]
    for name, key in zip(names, keys, strict=True):
        times = [duration(seconds.get(key)) for seconds in columns]
        lines.append(f"{name:<{width}} " + " ".join(f"{time:>9}" for time in times))
    steals = effect["steals"][-STEALS_SHOWN:]
    if steals:
        all_steals = len(effect["steals"])
        which = f"steals (the last {len(steals)} of {all_steals})" if len(steals) < all_steals else "steals"
        lines += ["", f"{which}; saved: by each one alone"]
    for steal in steals:
        saved = gain(steal["saved_seconds"], steal["saved_range"])
        ids = f"{visible(str(steal['dest_gpu']))} <- {visible(str(steal['source_gpu']))}"
        lines.append(f"  {ids}  {visible(steal['file_name'])}  {saved}")
    return "\n".join(lines)


def _is_over(effect: Effect) -> bool:
    makespan, expected = effect["makespan_seconds"], effect["makespan_expected_seconds"]
    return makespan is None or expected is None or expected <= makespan


def _above_bound(effect: Effect) -> str:
    """How far the expected makespan is above the lower bound, which rounding may leave a little below 0."""
    percent, low_and_high = max(0.0, effect["above_bound_percent"] or 0.0), effect["above_bound_range"]
    point = f"{percent:.1f}"
    if low_and_high is None or low_and_high[1] is None:
        return f"{point} %"
    ends = [f"{max(0.0, end):.1f}" for end in low_and_high if end is not None]
    return f"{point} %" if set(ends) == {point} else f"{point} % {between(ends[0], f'{ends[1]} %')}"


def _aligned(value: str) -> str:
    """The value at the right of its column, and its range after it."""
    point, separator, rest = value.partition(" (")
    return f"{point:>8}{separator}{rest}"


def _ratio(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:.3f}"
