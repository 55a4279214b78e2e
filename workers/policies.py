"""When an idle device takes a file out of another one's queue, and whose. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from virnucpro_bus.errors import UserError

THRESHOLD = 3


class Policy(Protocol):
    """Decides at the moment of a request; holds no state."""

    def victim(self, depths: Sequence[int], thief: int) -> int | None:
        """The queue that `thief`, whose own is empty, takes a file from; None to take none."""
        ...


class Off:
    """Nobody steals: every device works off the files it was given."""

    def victim(self, depths: Sequence[int], thief: int) -> int | None:
        return None


class Threshold:
    """Steals from the longest queue when that is long, and much longer than the thief's.

    Longest >= 3, and (longest > 2 x shortest or longest - shortest >= 3); ties go to the first device.
    """

    def victim(self, depths: Sequence[int], thief: int) -> int | None:
        longest = max(depths)
        shortest = depths[thief]
        if longest < THRESHOLD or not (longest > 2 * shortest or longest - shortest >= THRESHOLD):
            return None
        return depths.index(longest)


POLICIES: dict[str, Policy] = {"off": Off(), "threshold": Threshold()}


def policy_by_name(name: str) -> Policy:
    """Raises UserError for a name that is not one of POLICIES."""
    try:
        return POLICIES[name]
    except KeyError:
        raise UserError(f"unknown policy {name!r}: choose one of {', '.join(POLICIES)}") from None
