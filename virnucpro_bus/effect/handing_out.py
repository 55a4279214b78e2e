"""When several workers have done what they share: files that they take from a common heap, or work. Pure.

How many parts of files each has done by nearly the end is divided out; only the last ones are handed out one by
one, at most as many as there are workers. So the number of files does not matter.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from heapq import heapify, heapreplace

from virnucpro_bus.effect.duration_model import ROUNDING


def shared_end(
    files: float, workers: Sequence[tuple[float, float]], grain: float, *, is_greedy: bool = False
) -> float:
    """When `workers`, as (free at, seconds per file), have done `files` of equal size, taking `grain` at a time.

    `grain` 0: any part of a file can be handed out. `is_greedy`: who is free takes the next one, even if another
    would end with it sooner. At least one worker, with seconds above 0.
    """
    if not grain:
        return _even_end(files, workers)
    parts = math.ceil((files - ROUNDING) / grain)
    if not is_greedy:
        return _end_of(parts, [(free, grain * seconds) for free, seconds in workers])
    # A part starts when one more would end of a worker that is free one part sooner.
    sooner = [(free - grain * seconds, grain * seconds) for free, seconds in workers]
    last = _end_of(max(1, parts), sooner)
    started = [(free, seconds, math.floor((last - free) / seconds + ROUNDING)) for free, seconds in sooner]
    # Where all files take less time than a float can tell, nobody has started any by then.
    return max((free + (count + 1) * seconds for free, seconds, count in started if count > 0), default=last)


def _end_of(parts: int, workers: Sequence[tuple[float, float]]) -> float:
    """When they have done that many parts if nobody waits; seconds are those per part."""
    if parts <= 0:
        return min(free for free, _ in workers)
    # If parts could be cut, all would be done sooner: so all that are done by then count.
    least = _even_end(parts, workers)
    done = [(max(0, math.floor((least - free) / seconds)), free, seconds) for free, seconds in workers]
    left = parts - sum(count for count, _, _ in done)
    if left <= 0:
        return max(free + count * seconds for count, free, seconds in done if count)
    ends = [(free + (count + 1) * seconds, seconds) for count, free, seconds in done]
    heapify(ends)
    # Each has at most one part in progress by then; more are left where a float cannot tell their times apart.
    for _ in range(min(left, len(ends)) - 1):
        end, seconds = ends[0]
        heapreplace(ends, (end + seconds, seconds))
    return ends[0][0]


def _even_end(files: float, workers: Sequence[tuple[float, float]]) -> float:
    """When they have done the files if all end at once; who is free later than that does nothing."""
    at_work = workers
    while True:
        rate = math.fsum([1 / seconds for _, seconds in at_work])
        end = (files + math.fsum([free / seconds for free, seconds in at_work])) / rate
        # Without those that come too late the others end sooner, so that more may come too late.
        in_time = [worker for worker in at_work if worker[0] < end]
        if len(in_time) in (0, len(at_work)):
            return end
        at_work = in_time


def end_at_rates(work: float, changes: Mapping[float, Sequence[float]]) -> float:
    """When several workers have done so much work together, given how their common rate changes at what times.

    Whoever comes adds a rate; whose speed changes adds its new one, and minus the one before. The rate is work per
    second; at last it is above 0.
    """
    rates, start = [0.0], 0.0
    for at, parts in sorted(changes.items()):
        if rates[0] and work <= (at - start) * rates[0]:
            break
        work -= (at - start) * rates[0]
        rates, start = _exact_sum([*rates, *parts]), at
    return start + work / rates[0]


def _exact_sum(values: Sequence[float]) -> list[float]:
    """The sum, as few floats of which the first is it as well as a float can tell.

    A fast worker that has become slow leaves no error behind in the sum of all, however often rates change.
    """
    parts = list[float]()
    while rest := math.fsum([*values, *(-part for part in parts)]):
        parts.append(rest)
    return parts or [0.0]
