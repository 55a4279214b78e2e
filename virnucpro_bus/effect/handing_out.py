"""When several workers have done the files that they take from a common heap. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence

from virnucpro_bus.effect.duration_model import ROUNDING

_HALVINGS = 32


def shared_end(
    files: float, workers: Sequence[tuple[float, float]], grain: float, *, is_greedy: bool = False
) -> float:
    """When `workers`, as (free at, seconds per file), have done `files` of equal size, taking `grain` at a time.

    `grain` 0: any part of a file can be handed out. `is_greedy`: who is free takes the next one, even if another
    would end with it sooner. At least one worker, with seconds above 0.
    """
    least = min(free for free, _ in workers)
    most = min(free + (files + grain) * seconds for free, seconds in workers)

    def taken(until: float) -> list[float]:
        """How many files each has taken and done by then; of a greedy one, also that which it works on."""
        parts = [max(0.0, until - free) / seconds for free, seconds in workers]
        if not grain:
            return parts
        return [grain * (math.floor(part / grain + ROUNDING) + (is_greedy and part > 0)) for part in parts]

    for _ in range(_HALVINGS):
        middle = (least + most) / 2
        least, most = (least, middle) if sum(taken(middle)) >= files - ROUNDING else (middle, most)
    if not is_greedy:
        return most
    ends = [free + part * seconds for part, (free, seconds) in zip(taken(most), workers, strict=True) if part]
    # Where all files take less time than a float can tell, nobody has taken any by then.
    return max(ends, default=most)
