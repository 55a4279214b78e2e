"""A run at a moment under given assumptions: when it ends, when it would have without stealing, the lower bound.

`effect.py` holds the formulas, and asks this once for what is likely and once for either end of every doubt. Pure.
Times are seconds from the start of the first file; devices are named by key.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import cached_property
from statistics import fmean
from typing import ClassVar

from virnucpro_bus.clock import NANOSECONDS
from virnucpro_bus.effect.handing_out import end_at_rates, shared_end
from virnucpro_bus.effect.standing import FREE, OWN_PENDING, Standing
from virnucpro_bus.effect.work_log import Steal

_SHARED_OUT = OWN_PENDING | {"overhang", "grain", "is_greedy", "failures"}


class Outlook(Standing):
    """One run at one moment under one set of assumptions. Not thread-safe."""

    DEPENDS_ON: ClassVar[Mapping[str, frozenset[str]]] = {
        **Standing.DEPENDS_ON,
        "_own_ends": FREE | OWN_PENDING,
        "_moved": frozenset({"speeds"}),
        "expected": FREE | _SHARED_OUT,
        "without_stealing": FREE | OWN_PENDING | {"other_gaps"},
        "bound": frozenset({"fixed", "speeds"}),
        "_work": frozenset({"fixed"}),
        "_biggest_left": frozenset({"fixed"}),
    }

    @cached_property
    def expected(self) -> float | None:
        """When all files are done; None if unknown."""
        if self.is_done:
            return self.now
        if not self.speeds:
            return None
        working = [self.free[key] - self.now for key in self.working]
        # Of several files in progress the last one ends later than is expected of each: half of an overhang.
        end = max(self.free.values()) + (self._overhang(working) / 2 if working else 0.0)
        if not self.pending:
            return end
        if not self.status.is_stealing:
            own = self.own_pending.items()
            return max([end, *(self.next_starts[key] + seconds for key, seconds in own if seconds)])
        return self._shared_out(end)

    def _shared_out(self, end: float) -> float | None:
        """When all is done if the pending work is shared out; `end`: when what is in progress is."""
        living, assumed = self.living, self.assumed
        if not living:
            return None
        pending = sum(work for work, _, _ in self.pending.values())
        biggest = max(biggest for _, biggest, _ in self.pending.values())
        mean = pending / sum(files for _, _, files in self.pending.values())
        failed = assumed.failures * self.failed_seconds
        # A failed attempt takes time from all devices, and the last one holds up the end.
        share_failed = failed / self.took_seconds if self.took_seconds else 0.0
        files = self.likely_work(pending, biggest) * (1 + share_failed) / mean
        starts, paces = ([each[key] for key in living] for each in (self.next_starts, self.paces))
        gap = self.next_gap
        seconds = [mean / pace + gap for pace in paces]
        workers = list(zip(starts, seconds, strict=True))
        shared = shared_end(files, workers, assumed.grain, is_greedy=assumed.is_greedy)
        if assumed.is_greedy:
            shared = max(shared, shared_end(files, workers, max(1.0, biggest / mean), is_greedy=True))
        earliest = min([start + biggest / pace for start, pace in zip(starts, paces, strict=True)])
        last = max(end, shared + self._overhang(seconds), earliest)
        return last + (failed / self.failed_attempts if failed else 0.0)

    def _overhang(self, seconds: Sequence[float]) -> float:
        """How much later than the mean the last of several devices ends, whose files take so many seconds each."""
        return self.assumed.overhang * self.assumed.speeds.noise * math.log(len(seconds)) * fmean(seconds)

    @cached_property
    def without_stealing(self) -> tuple[float | None, float | None]:
        """When all files would have been done without a single steal, and the least that is known; None: unknown.

        The first is unknown, and the second is not, if files were stolen from a device that was never ready, or
        whose workers were gone for good.
        """
        corrections, victims = defaultdict[str, list[float]](list), set[str]()
        gap = self.gap * self.assumed.other_gaps
        for thief, victim, files, seconds, on_victim in [*self._moved, *map(self._moving, self.moves_in_progress)]:
            corrections[thief].append(-seconds - files * self.gap)
            corrections[victim].append(on_victim + files * gap)
            victims.add(victim)
        ends = self._own_ends | {
            key: math.fsum([*self._own_parts(key), *each]) for key, each in corrections.items()
        }
        if victims and self.assumed.other_gaps != 1:
            ends = {key: end + self._other_gaps(key) for key, end in ends.items()}
        latest = max(ends.values(), default=0.0)
        is_known = all(self.free_for_own(victim) is not None for victim in victims)
        return (max(0.0, latest) if is_known else None), max(0.0, latest)

    @cached_property
    def _own_ends(self) -> dict[str, float]:
        """When each ends what it has in progress and its own pending files; of those that have or had any."""
        pending, free, had = self.own_pending, self.free, self.has_worked - self.status.deserted
        return {
            key: free[key] + pending.get(key, 0.0) if key in had else sum(self._own_parts(key))
            for key in self.shares
            if key in self.has_worked or pending.get(key)
        }

    def _own_parts(self, key: str) -> tuple[float, float]:
        """When a device is free for its own files, and how long these take."""
        free = self.free_for_own(key)
        # A device that was never ready, or has lost its worker, will not be before now.
        return self.now if free is None else free, self.own_pending.get(key, 0.0)

    @cached_property
    def _moved(self) -> list[tuple[str, str, int, float, float]]:
        """What was stolen and completed: thief, victim, files, seconds, and how many of them on the victim."""
        return [
            self._move(*pair, moved.files, moved.took_ns / NANOSECONDS, moved.work(self.speeds.get(pair[0])))
            for pair, moved in self.totals.moved.items()
        ]

    def _moving(self, steal: Steal) -> tuple[str, str, int, float, float]:
        """The same of a file that its thief works on."""
        seconds = self._expected_in_progress(steal.thief)
        return self._move(steal.thief, steal.victim, 1, seconds, seconds * self.rate(steal.thief))

    def _move(
        self, thief: str, victim: str, files: int, seconds: float, work: float
    ) -> tuple[str, str, int, float, float]:
        rate = self.rate(victim)
        return thief, victim, files, seconds, work / rate if rate else seconds

    def _other_gaps(self, key: str) -> float:
        """How much more time another run would lose between a device's files, and by failed attempts."""
        files = self.shares[key].done.files if key in self.shares else 0
        return (self.assumed.other_gaps - 1) * (files * self.gap + self.failed_seconds)

    @cached_property
    def bound(self) -> float | None:
        """A lower bound of the makespan, for any distribution of the files over the devices; None if unknown."""
        if not self.speeds:
            return None
        changes = defaultdict[float, list[float]](list)
        fastest, biggest = [], float(self._biggest_left)
        for key, longest in self._longest.items():
            joined, phases = self.joined(key), self.speeds[key].phases
            slow = fast = before = phases[0].rate
            changes[joined].append(before)
            for since_ns, rate in phases[1:]:
                changes[max(joined, self.since_zero(since_ns))] += (rate, -before)
                slow, fast, before = min(slow, rate), max(fast, rate), rate
            biggest = max(biggest, longest * slow)
            fastest.append((joined, fast))
        least = min([joined + biggest / fast for joined, fast in fastest])
        return max(end_at_rates(self._work, changes), least)

    @cached_property
    def _work(self) -> int:
        """The work of all files."""
        return sum(share.pending + share.in_progress_work + share.work for share in self.shares.values())

    @cached_property
    def _biggest_left(self) -> int:
        """The work of the biggest file that is pending or in progress."""
        return max(share.biggest_left for share in self.shares.values())

    @cached_property
    def _longest(self) -> dict[str, float]:
        """How long the longest completed file of each device took, in seconds; 0 without one."""
        return {key: share.done.longest_ns / NANOSECONDS for key, share in self.shares.items()}

    # Steals.

    @cached_property
    def moves_in_progress(self) -> list[Steal]:
        """The steals of files that their thieves work on."""
        files = [
            (key, share.in_progress.file) for key, share in self.shares.items() if share.in_progress is not None
        ]
        steals = [(key, self.totals.open_steal(file)) for key, file in files]
        return [steal for key, steal in steals if steal is not None and steal.thief == key]

    def _expected_in_progress(self, key: str) -> float:
        """How long the device's file in progress is expected to take in all; 0 without one."""
        file = self.shares[key].in_progress
        return 0.0 if file is None else self.free[key] - self.since_zero(file.since_ns)

    def on_victim(self, steal: Steal, seconds: float, end_ns: int) -> float:
        """How long a stolen file, which took its thief so long until then, would take its owner."""
        thief, victim = self.speeds.get(steal.thief), self.speeds.get(steal.victim)
        return seconds if thief is None or victim is None else seconds * thief.rate_until(end_ns) / victim.rate
