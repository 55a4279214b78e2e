"""Figures of several hosts or buses, merged into one. Pure functions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate
from operator import itemgetter
from typing import TypeVar

from virnucpro_bus.fold.host_fold import RECENT_STEALS
from virnucpro_bus.fold.windows import KEPT_FILES
from virnucpro_bus.metrics import FileRecord, StealEvent, Totals

Record = TypeVar("Record", FileRecord, StealEvent)


def sum_totals(each: Sequence[Totals]) -> Totals:
    """Add up parts of a run, or several runs.

    `files_total` is None without a plan, and when a part processes files without one. A part without files, as of
    a host that only samples its GPUs, needs none.
    """
    planned = [total for totals in each if (total := totals["files_total"]) is not None]
    is_partial = any(totals["files_total"] is None and _settled(totals) for totals in each)
    return Totals(
        files_total=None if is_partial or not planned else sum(planned),
        files_completed=sum(totals["files_completed"] for totals in each),
        files_failed=sum(totals["files_failed"] for totals in each),
        sequences=sum(totals["sequences"] for totals in each),
        steals=sum(totals["steals"] for totals in each),
        events_published=sum(totals["events_published"] for totals in each),
        events_received=sum(totals["events_received"] for totals in each),
        events_lost=sum(totals["events_lost"] for totals in each),
    )


def _settled(totals: Totals) -> int:
    return totals["files_completed"] + totals["files_failed"]


def latest_files(each: Iterable[Sequence[FileRecord]]) -> list[FileRecord]:
    """Return the KEPT_FILES last of several lists of files, oldest first; by host if the time is the same."""
    return _merged(each, itemgetter("ended", "host"))[-KEPT_FILES:]


def latest_steals(each: Iterable[Sequence[StealEvent]]) -> list[StealEvent]:
    """Return the RECENT_STEALS last of several lists of steals, oldest first; by host if the time is the same."""
    return _merged(each, itemgetter("timestamp", "host"))[-RECENT_STEALS:]


def _merged(each: Iterable[Sequence[Record]], key: Callable[[Record], tuple[float, str]]) -> list[Record]:
    """Merge lists, each of which keeps its order: times of day of one host may go back, when its clock is set."""
    keyed = [
        (latest, record)
        for records in each
        for latest, record in zip(accumulate(map(key, records), max), records, strict=True)
    ]
    return [record for _, record in sorted(keyed, key=itemgetter(0))]
