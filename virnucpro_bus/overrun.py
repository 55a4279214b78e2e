"""A file that takes longer than was expected: how much longer it will. For scheduling and for its effect. Pure."""

from __future__ import annotations

OVERRUN = 0.3
"""What takes longer than was expected is expected to take so much longer again, of the time it has taken."""
ROUNDING = 1e-9
"""What takes longer by less than this share does not: it is the rounding of sums."""


def rest_seconds(whole: float, so_far: float) -> float:
    """How long a file still takes that was expected to take `whole` seconds, of which it has taken `so_far`."""
    return OVERRUN * so_far if so_far > whole * (1.0 + ROUNDING) else max(0.0, whole - so_far)
