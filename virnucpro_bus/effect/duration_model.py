"""What every file costs whatever its size, learned from how long files took. Pure.

Estimates go by size, but a file also has to be opened and its results brought to the disk, and some jobs take as
long for any file. Where seconds = a + b x work, a / b is what is to be added to the work of every file. Any two
files of a device that differ in size tell it, whatever the device's speed. So a device's smaller half is held
against its bigger half, and all such pairs of all devices vote, each with the weight of how much its sizes
differ. It is the idea of Theil's slope (1950), the median of all pairs: a few odd files do not bend it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from statistics import fmean

LEAST_EVIDENCE = 2.0
"""Of all votes together, before they are believed; a pair whose sizes differ tenfold has 0.9, twofold 0.5."""
FROM_BELOW = 0.4
"""The vote that counts, from the smallest on; a little below the median, for in doubt size is right."""
LEAST_SHARE = 0.05
"""Of the mean work of a file; less than that is noise."""
MAX_FILES = 100.0
"""At most that many times the mean work of a file, where its size seems to say nothing."""
FILES_SAMPLED = 512
"""Of a device; more would tell no more."""


def fixed_work(devices: Iterable[Sequence[tuple[int, float]]]) -> int:
    """What to add to the estimated work of every file; 0 where nothing is known.

    Of each device completed files, as (estimated work, seconds); FILES_HEARD of them are enough.
    """
    together = [files for files in devices if files]
    votes = sorted(vote for files in together for vote in _votes(files))
    evidence = math.fsum(weight for _, weight in votes)
    if evidence < LEAST_EVIDENCE:
        return 0
    mean = fmean(work for files in together for work, _ in files)
    fixed = min(_at(votes, FROM_BELOW * evidence), MAX_FILES * mean)
    return round(fixed) if fixed > LEAST_SHARE * mean else 0


def _votes(files: Sequence[tuple[int, float]]) -> Iterator[tuple[float, float]]:
    """What each pair says, and its weight."""
    ordered = sorted(files)
    half = len(ordered) // 2
    for (small, short), (big, long) in zip(ordered[:half], ordered[len(ordered) - half :], strict=True):
        if small < big:
            told = (big * short - small * long) / (long - short) if long > short else math.inf
            yield max(0.0, told), 1 - small / big


def _at(votes: Sequence[tuple[float, float]], weight: float) -> float:
    """The first vote at which the weights so far reach `weight`."""
    for told, own in votes:
        weight -= own
        if weight <= 0:
            return told
    return votes[-1][0]


OVERRUN = 0.3
"""What takes longer than was expected is expected to take so much longer again, of the time it has taken."""
ROUNDING = 1e-9
"""What takes longer by less than this share does not: it is the rounding of sums."""


def remaining_seconds(whole: float, so_far: float) -> float:
    """How long a file still takes that was expected to take `whole` seconds, of which it has taken `so_far`."""
    return OVERRUN * so_far if so_far > whole * (1.0 + ROUNDING) else max(0.0, whole - so_far)
