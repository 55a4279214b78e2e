"""How long a file is expected to take: the fixed cost of every file, and the remaining time of a late one. Pure.

Estimated work goes by the size of a file. But a file also has to be opened and its results written to disk, and
some jobs take equally long for any file. So `fixed_work` learns what has to be added to the work of every file:
where seconds = a + b x work, that is a / b. Any two files of a device that differ in size give an estimate of it,
whatever the device's speed. Each device's smaller half is paired with its bigger half, and all pairs of all
devices vote, weighted by how much the two sizes differ. As with Theil's slope (1950), the median of all pairs, a
few outliers do not change the result.

`remaining_seconds` estimates how long a file in progress still takes, even one that exceeds its expected time.
Scheduling (workers/schedule/forecast.py) and the effect of stealing share this rule.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from statistics import fmean

MIN_EVIDENCE = 2.0
"""The least total weight of all votes; with less, nothing is learned. A pair of files whose sizes differ tenfold
weighs 0.9, twofold 0.5."""
VOTE_QUANTILE = 0.4
"""Which vote decides: a little below the median, because without clear evidence size is the better estimate."""
MIN_FIXED_SHARE = 0.05
"""A smaller fixed cost, as a share of the mean work of a file, is taken for noise and counts as 0."""
MAX_FIXED_SHARE = 100.0
"""The largest fixed cost, as a multiple of the mean work of a file: there the size hardly matters."""
FILES_SAMPLED = 512
"""How many files of a device vote at most; more would not change the result."""
OVERRUN = 0.3
"""A file that exceeds its expected time is expected to take this share of its time so far in addition."""
ROUNDING = 1e-9
"""A file that exceeds its expected time by a smaller share is not late: that is a rounding error."""


def fixed_work(devices: Iterable[Sequence[tuple[int, float]]]) -> int:
    """Return what to add to the estimated work of every file; 0 if too little is known.

    `devices` holds completed files of each device, as (estimated work, seconds); FILES_SAMPLED of them are enough.
    """
    known = [files for files in devices if files]
    votes = sorted(vote for files in known for vote in _votes(files))
    evidence = math.fsum(weight for _, weight in votes)
    if evidence < MIN_EVIDENCE:
        return 0
    mean = fmean(work for files in known for work, _ in files)
    fixed = min(_vote_at(votes, VOTE_QUANTILE * evidence), MAX_FIXED_SHARE * mean)
    return round(fixed) if fixed > MIN_FIXED_SHARE * mean else 0


def remaining_seconds(whole: float, so_far: float) -> float:
    """Return how long a file still takes that was expected to take `whole` seconds and has taken `so_far`."""
    return OVERRUN * so_far if so_far > whole * (1.0 + ROUNDING) else max(0.0, whole - so_far)


def _votes(files: Sequence[tuple[int, float]]) -> Iterator[tuple[float, float]]:
    """The fixed work by each pair of files, and its weight."""
    ordered = sorted(files)
    half = len(ordered) // 2
    for (small, short), (big, long) in zip(ordered[:half], ordered[len(ordered) - half :], strict=True):
        if small < big:
            fixed = (big * short - small * long) / (long - short) if long > short else math.inf
            yield max(0.0, fixed), 1 - small / big


def _vote_at(votes: Sequence[tuple[float, float]], weight: float) -> float:
    """The first of the sorted votes up to which the weights add up to `weight`."""
    for fixed, its_weight in votes:
        weight -= its_weight
        if weight <= 0:
            return fixed
    return votes[-1][0]
