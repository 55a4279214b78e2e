"""Rates of several devices as a sample of a population. Pure; values are logs of rates.

A difference between two devices that the noise of their files explains counts for little, one that it does not
explain counts in full: the normal random effects model (Gelman et al., Bayesian Data Analysis, 5.4). How far
devices really differ, the spread, is learned from the values; all spreads are tried, each with its probability.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from operator import mul, truediv
from typing import NamedTuple

from virnucpro_bus.effect.duration_model import OVERRUN, share_above

USUAL_SPREAD = 0.4
"""How far the logs of rates of unlike devices are usually spread: the scale of a half-normal prior."""
_SPREADS = tuple(0.02 * 1.6**step for step in range(-3, 11))
_LATE = -5.0
"""So many standard deviations below the mean, a truncated normal distribution is taken for its end."""


class Estimate(NamedTuple):
    """A value and its standard error."""

    value: float
    error: float


class Population(NamedTuple):
    """What is known of all devices, measured or not."""

    members: list[Estimate]
    """The measured ones, in the given order."""
    other: Estimate
    """One more, of which nothing is known."""


def pool(values: Sequence[float], errors: Sequence[float]) -> Population:
    """Estimate the values of a population from measured ones, at least one, with errors above 0."""
    variances = [error**2 for error in errors]
    shares = _spreads(values, variances)
    members = map(_mixture, zip(*(_members(values, variances, *each) for each in shares), strict=True))
    other = [(share, mean.value, mean.error**2 + spread**2) for share, spread, mean in shares]
    return Population(list(members), _mixture(other))


def _members(
    values: Sequence[float], variances: Sequence[float], share: float, spread: float, mean: Estimate
) -> list[tuple[float, float, float]]:
    """The members where this is the spread, each as (probability of that, value, variance)."""
    common, common_variance, between = mean.value, mean.error**2, spread**2
    trusts = [between / (between + variance) for variance in variances]
    return [
        (share, common + trust * (value - common), trust * variance + (1 - trust) ** 2 * common_variance)
        for value, variance, trust in zip(values, variances, trusts, strict=True)
    ]


def suppose(others: Sequence[float | None], known: Population, cautious: Population) -> list[Estimate]:
    """Estimate the values of further devices, for each of which an upper limit is known, or None.

    A device that has completed nothing is like the others, but slower than its file in progress still allows. The
    first device to complete a file is likely one of the fast ones, so the others pull the common mean down.
    """
    common, error, count = known.other.value, known.other.error, len(known.members)
    for _ in range(4):
        values = [_below(common, error, limit).value for limit in others]
        common = (known.other.value * count + math.fsum(values)) / (count + len(values))
    return [
        Estimate(_below(common, error, limit).value, _below(common, cautious.other.error, limit).error)
        for limit in others
    ]


def _spreads(values: Sequence[float], variances: Sequence[float]) -> list[tuple[float, float, Estimate]]:
    """Each possible spread as (probability, spread, common mean).

    Many values leave few spreads with a probability that is more than 0.
    """
    found = []
    for spread in _SPREADS:
        between = spread**2
        squares = [variance + between for variance in variances]
        precision = math.fsum([1 / square for square in squares])
        mean = math.fsum(map(truediv, values, squares)) / precision
        deviations = [value - mean for value in values]
        misfits = map(truediv, map(mul, deviations, deviations), squares)
        # The spreads that are tried lie evenly on a logarithmic scale, hence the factor of the prior.
        prior = math.log(spread) - 0.5 * (spread / USUAL_SPREAD) ** 2
        likelihood = -0.5 * (math.fsum(map(math.log, squares)) + math.fsum(misfits) + math.log(precision)) + prior
        found.append((likelihood, spread, Estimate(mean, precision**-0.5)))
    top = max(likelihood for likelihood, _, _ in found)
    weights = [math.exp(likelihood - top) for likelihood, _, _ in found]
    total = math.fsum(weights)
    return [
        (weight / total, spread, mean) for weight, (_, spread, mean) in zip(weights, found, strict=True) if weight
    ]


def _mixture(parts: Sequence[tuple[float, float, float]]) -> Estimate:
    """Combine distributions given as (share, mean, variance)."""
    mean = math.fsum([share * its_mean for share, its_mean, _ in parts])
    square = math.fsum([share * (variance + (its_mean - mean) ** 2) for share, its_mean, variance in parts])
    return Estimate(mean, math.sqrt(square))


def _below(mean: float, error: float, limit: float | None) -> Estimate:
    """A normally distributed value that is known to be below `limit`; None: no limit."""
    if limit is None:
        return Estimate(mean, error)
    z, late = (limit - mean) / error, limit - math.log1p(OVERRUN)
    if z < _LATE:
        return Estimate(late, error / -z)
    ratio = math.exp(-0.5 * z * z) / math.sqrt(2 * math.pi) / share_above(-z)
    value = mean - error * ratio
    # A file that is late already is not expected to be later than late files are.
    return Estimate(max(value, late) if z < 0 else value, error * math.sqrt(max(0.0, 1 - z * ratio - ratio**2)))
