"""How long a run will still take. Pure functions."""

from __future__ import annotations

from virnucpro_bus.health.rows import RunTotals
from virnucpro_bus.metrics import Effect, Range


def remaining_seconds(
    totals: RunTotals, elapsed_seconds: float | None, effect: Effect | None = None
) -> float | None:
    """Return the ETA: as `effect` expects it, else remaining files x elapsed / completed files.

    None without a plan, where a number of files is unknown, and before the first completion unless `effect` knows.
    """
    total, completed, failed = totals["files_total"], totals["files_completed"], totals["files_failed"]
    if total is None or elapsed_seconds is None or completed is None or failed is None:
        return None
    remaining = total - completed - failed
    expected = None if effect is None else _expected_seconds(effect)
    # Of several combined runs the longest may be over while another continues: 0 is meaningless then.
    if expected is not None and (expected > 0 or remaining <= 0):
        return expected
    return max(0, remaining) * elapsed_seconds / completed if completed else None


def remaining_range(effect: Effect | None) -> Range | None:
    """Return the range of the ETA that `effect` gives; None: unknown."""
    if effect is None or effect["makespan_expected_range"] is None or effect["makespan_seconds"] is None:
        return None
    now, (low, high) = effect["makespan_seconds"], effect["makespan_expected_range"]
    return max(0.0, low - now), None if high is None else max(0.0, high - now)


def _expected_seconds(effect: Effect) -> float | None:
    end, now = effect["makespan_expected_seconds"], effect["makespan_seconds"]
    return None if end is None or now is None else max(0.0, end - now)
