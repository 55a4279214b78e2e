"""Amounts over time: what came about in each part of the time, if everything proceeds evenly from start to end."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import accumulate, pairwise
from math import ceil


def spread(spans: Iterable[tuple[int, int, float]], edges_ns: Sequence[int]) -> list[float]:
    """Return how much of all amounts falls between each two of the `edges_ns`, which are equally far apart.

    A span is (start, end, amount); what lies outside of the edges is left out.
    """
    first_ns = edges_ns[0]
    step = (edges_ns[-1] - first_ns) / (len(edges_ns) - 1) or 1.0
    last = len(edges_ns) - 1
    # At each edge all amounts up to there are `slope` x its number + `constant`, summed over what began before.
    inside = [0.0] * last
    slopes, constants = [0.0] * (len(edges_ns) + 1), [0.0] * (len(edges_ns) + 1)
    for start_ns, end_ns, amount in spans:
        start, end = (start_ns - first_ns) / step, (end_ns - first_ns) / step
        part = int(start)
        if start > 0 and end < part + 1 and part < last:
            inside[part] += amount  # nearly always, where there are many
            continue
        if start_ns >= end_ns:
            # It took no time: all of it comes about in the part that it is in.
            constants[min(max(ceil(end), 1), last + 1)] += amount if start >= 0 else 0.0
            continue
        rate = amount / (end - start)
        # The first edges that are not before them; one more than the last where there is none.
        begin, stop = min(max(ceil(start), 0), last + 1), min(max(ceil(end), 0), last + 1)
        constant = rate * start
        slopes[begin] += rate
        constants[begin] -= constant
        slopes[stop] -= rate
        constants[stop] += constant + amount
    totals = [
        slope * at + constant
        for at, (slope, constant) in enumerate(zip(accumulate(slopes), accumulate(constants), strict=True))
    ]
    passed = (after - before for before, after in pairwise(totals[: last + 1]))
    return [max(0.0, each) + more for each, more in zip(passed, inside, strict=True)]
