"""How long a file is expected to take: the fixed cost of every file, and what is left of one in progress. Pure.

Estimated work goes by the size of a file. But a file also has to be opened and its results written to disk, and
some jobs take equally long for any file. So `fixed_work` learns what has to be added to the work of every file:
where seconds = a + b x work, that is a / b. Any two files of a device that differ in size give an estimate of it,
whatever the device's speed. Each device's smaller half is paired with its bigger half, and all pairs of all
devices vote, weighted by how much the two sizes differ: tenfold weighs 0.9, twofold 0.5. As with Theil's slope
(1950), the median of all pairs, a few outliers do not change the result.

`remaining_seconds` estimates how long a file in progress still takes, even one that exceeds its expected time;
`by_size_and_progress` what it takes in all, where its job reports how much of it is done.
Scheduling (workers/schedule/forecast.py) and the effect of stealing share this rule.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from statistics import NormalDist, fmean
from typing import NamedTuple

VOTE_QUANTILE = 0.4
"""Which vote decides: a little below the median, because without clear evidence size is the better estimate."""
NO_FIXED_VOTE, MEAN_FIXED_VOTE = 1.0, 0.5
"""The weights of two more votes, for no fixed cost and for as much as the mean work of a file. With them one pair
of files changes nothing, and few votes leave a wide range."""
MIN_FIXED_SHARE = 0.05
"""A smaller fixed cost, as a share of the mean work of a file, is taken for noise and counts as 0."""
MAX_FIXED_SHARE = 100.0
"""The largest fixed cost, as a multiple of the mean work of a file: there the size hardly matters."""
FILES_SAMPLED = 512
"""How many files of a device vote at most; more would not change the result."""
OVERRUN = 0.3
"""A file that exceeds its expected time is expected to take this share of its time so far in addition."""
LIKELY = 2.0
"""A range reaches so many standard errors to either side, within which 95 % of normally distributed errors are."""
LEAST_SHARE = 1e-6
"""A file that fewer files outlast is late for a reason of its own."""
CURVE_ERROR = 0.5
"""The standard error of `curve` in `Progress.whole_seconds`, whose likely value is 1."""
END_ERROR = 0.1
"""By what share a file that is done to the last sequence still differs: results have to be written."""
ROUNDING = 1e-9
"""A file that exceeds its expected time by a smaller share is not late: that is a rounding error."""


class Progress(NamedTuple):
    """How far a file in progress is, by the last report of its job."""

    share: float
    """The share of its sequences that was done, above 0 and 1 at most …"""
    seconds: float
    """… so long after its start; above 0."""

    def whole_seconds(self, curve: float = 1.0) -> float:
        """How long the file takes in all, if `share` to the power of `curve` of that has passed by then.

        1: progress is even. Below 1 the first sequences take longer than the last ones, above 1 the last ones do.
        """
        return self.seconds / math.pow(self.share, curve)

    @property
    def error(self) -> float:
        """The standard error of the log of what the file takes in all."""
        return math.hypot(CURVE_ERROR * math.log(self.share), END_ERROR)


class FixedWork(NamedTuple):
    """The fixed cost of every file, as work: the best estimate, and the least and the greatest that are likely."""

    estimate: int
    least: int
    greatest: int


def fixed_work(devices: Iterable[Sequence[tuple[int, float]]]) -> FixedWork:
    """Return what to add to the estimated work of every file; the estimate is 0 if too little is known.

    `devices` holds completed files of each device, as (estimated work, seconds); FILES_SAMPLED of them are enough.
    """
    known = [files for files in devices if files]
    if not known:
        return FixedWork(0, 0, 0)
    mean = fmean(work for files in known for work, _ in files)
    votes = [(0.0, NO_FIXED_VOTE), (mean, MEAN_FIXED_VOTE), *(vote for files in known for vote in _votes(files))]
    votes.sort()
    evidence = math.fsum(weight for _, weight in votes)
    # The distribution-free interval of a quantile (David and Nagaraja, Order Statistics, 7.1).
    margin = LIKELY * math.sqrt(VOTE_QUANTILE * (1 - VOTE_QUANTILE) / evidence)

    def settled(share: float) -> int:
        fixed = min(_vote_at(votes, share * evidence), MAX_FIXED_SHARE * mean)
        return round(fixed) if fixed > MIN_FIXED_SHARE * mean else 0

    return FixedWork(settled(VOTE_QUANTILE), settled(VOTE_QUANTILE - margin), settled(VOTE_QUANTILE + margin))


def remaining_seconds(
    whole: float, so_far: float, noise: float = 0.0, overrun: float = OVERRUN, reported: float = 0.0
) -> float:
    """Return how long a file still takes that was expected to take `whole` seconds and has taken `so_far`.

    `noise` is by what share files differ from what is expected of them. Where it is great, a file that is not done
    yet is likely one of the long ones: the mean of a log-normal distribution beyond `so_far`. `whole` accounts for
    its last progress, `reported` seconds after its start: if it is late, it is so by the time since then.
    """
    late = so_far > whole * (1.0 + ROUNDING)
    rest = overrun * max(0.0, so_far - reported) if late else max(0.0, whole - so_far)
    if noise <= 0.0 or so_far <= 0.0 or whole <= 0.0:
        return rest
    deviation = _deviation(noise)
    z = math.log(so_far / whole) / deviation + deviation / 2
    longer = share_above(z)
    return max(rest, whole * share_above(z - deviation) / longer - so_far) if longer > LEAST_SHARE else rest


def by_size_and_progress(by_size: float, error: float, progress: Progress, curve: float) -> tuple[float, float]:
    """Combine what a file takes in all by its size with what it takes by its progress, as well as each is known.

    `error` is the standard error of the log of `by_size`, above 0. Returns the seconds and the error of their log.
    """
    ratio = (progress.error / error) ** 2
    trust = ratio / (1 + ratio)
    log = trust * math.log(by_size) + (1 - trust) * math.log(progress.whole_seconds(curve))
    return math.exp(log), progress.error / math.sqrt(1 + ratio)


def remaining_quantile(whole: float, so_far: float, noise: float, share: float, reported: float = 0.0) -> float:
    """Return what such a file takes at most, in that share of cases, from now on; `whole` and `noise` above 0."""
    deviation = _deviation(noise)
    middle = math.log(whole) - deviation**2 / 2
    longer = share_above((math.log(so_far) - middle) / deviation) if so_far > 0 else 1.0
    if longer < LEAST_SHARE:
        return remaining_seconds(whole, so_far, reported=reported) * 2 * share
    return math.exp(middle + deviation * NormalDist().inv_cdf(1 - longer * (1 - share))) - so_far


def _deviation(noise: float) -> float:
    """The standard deviation of the log of a log-normal value whose standard deviation is `noise` x its mean."""
    return math.sqrt(math.log1p(noise * noise))


def share_above(z: float) -> float:
    """Return the share of a standard normal distribution above `z`."""
    return 0.5 * math.erfc(z / math.sqrt(2))


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
