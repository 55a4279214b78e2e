"""The problems of a run, the worst first. Pure functions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Literal

from virnucpro_bus.health.rows import DeviceWork, Qualifier, Row, RunTotals, qualified_label, qualifiers
from virnucpro_bus.metrics import FailedAttempt, SourceCounts, is_stale
from virnucpro_bus.text import visible
from virnucpro_bus.units import UNKNOWN, duration

STALLED_AFTER_SECONDS = 300.0
HOT_CELSIUS = 90.0
SAMPLED_WITHIN_SECONDS = 1.0
"""How old the last sample of a GPU may be, and the time that the driver averages over."""
NAMED = 4
"""How many devices, sources or files a line names before "and N more"."""
NAMED_BRIEFLY = 2
"""The same for `Problem.brief`."""
REASON_CHARACTERS = 60
"""Longer reasons and file names are cut."""
_Figure = Literal["compute_percent", "memory_percent", "temperature", "power_watts"]
_FIGURES: tuple[_Figure, ...] = ("compute_percent", "memory_percent", "temperature", "power_watts")


@dataclass(frozen=True)
class Problem:
    """One problem, in one line."""

    text: str
    is_bad: bool = False
    """Whether something is lost for good; otherwise it is a warning."""
    kind: str = ""
    """One word for all problems of its kind ("lost", "stale"), for views that show that kind elsewhere; or ""."""
    brief: str = ""
    """A shorter text for views that repeat it at every interval; "" stands for `text`."""


def is_stalled(metrics: DeviceWork) -> bool:
    """Whether the device has finished nothing for STALLED_AFTER_SECONDS although files are queued for it."""
    seconds = metrics["seconds_since_done"]
    has_work = bool(metrics["queue_depth"]) and metrics["state"] not in ("lost", "stopped")
    return has_work and seconds is not None and seconds >= STALLED_AFTER_SECONDS


def is_warming_up(metrics: DeviceWork, elapsed_seconds: float | None, load_seconds: float) -> bool:
    """Whether the load of a device, the mean over `load_seconds`, is in part of before it had anything to do.

    So it is at the start of a run, and until a device's first file has been in progress for as long. Where nothing
    is known of either start it counts as False.
    """
    has_done = metrics["files_completed"] or metrics["files_failed"]
    starts = (elapsed_seconds, None if has_done else metrics["seconds_since_done"])
    return any(since is not None and since < load_seconds + SAMPLED_WITHIN_SECONDS for since in starts)


def needs_attention(row: Row) -> bool:
    """Whether the device has a problem: lost, silent, stalled, or stale GPU figures."""
    metrics, utilization = row
    return metrics["state"] in ("lost", "silent") or is_stale(utilization) or is_stalled(metrics)


def problems(
    rows: Sequence[Row],
    totals: RunTotals,
    lossy: Sequence[SourceCounts] = (),
    failures: Mapping[str, str] | None = None,
    attempts: Mapping[str, Sequence[FailedAttempt]] | None = None,
) -> tuple[Problem, ...]:
    """Return what is wrong: first what is lost (events, devices, files), then what may recover.

    `lossy` are the sources of lost events, `failures` the files that failed for good with their reasons,
    `attempts` the failed attempts by file; None when unknown.
    """
    needed = qualifiers(rows)
    failures = failures or {}
    quarantined = {} if attempts is None else _quarantined(failures, attempts)
    failed = {file: reason for file, reason in failures.items() if file not in quarantined}
    found = [
        *_lost_events(totals, lossy, needed),
        *_lost(rows, needed),
        *_hot(rows, needed),
        *_files("quarantined", quarantined, is_bad=True),
        *_silent(rows, needed),
        *_stale(rows, needed),
        *_without_figures(rows, needed),
        *_stalled(rows, needed),
        *_files("failed", failed),
    ]
    return tuple(found)


def _quarantined(failures: Mapping[str, str], attempts: Mapping[str, Sequence[FailedAttempt]]) -> dict[str, str]:
    """The failures that no attempt reported but the coordinator decided.

    Such a file has ended too many workers, or no device is left for it.
    """
    return {
        file: reason
        for file, reason in failures.items()
        if all(attempt["reason"] != reason for attempt in attempts.get(file, ()))
    }


def _lost_events(
    totals: RunTotals, lossy: Sequence[SourceCounts], needed: Sequence[Qualifier]
) -> Iterator[Problem]:
    if totals["events_lost"]:
        published = UNKNOWN if totals["events_published"] is None else totals["events_published"]
        brief = f"lost events: {totals['events_lost']} of {published}"
        by_source = f" ({_losses(lossy, needed)})" if lossy else ""
        yield Problem(brief + by_source, is_bad=True, kind="lost events", brief=brief)


def _lost(rows: Sequence[Row], needed: Sequence[Qualifier]) -> Iterator[Problem]:
    """GPUs that the driver has lost, and devices whose worker is gone: causes with different remedies."""
    lost = [row for row in rows if row[0]["state"] == "lost"]
    for is_gpu, cause in ((True, "the driver has lost"), (False, "no worker on")):
        devices = [
            qualified_label(metrics, needed) for metrics, utilization in lost if utilization["lost"] is is_gpu
        ]
        if devices:
            text = f"lost: {cause} {_listed(devices)}"
            yield Problem(text, is_bad=True, kind="lost", brief=_brief("lost", devices))


def _silent(rows: Sequence[Row], needed: Sequence[Qualifier]) -> Iterator[Problem]:
    devices = [qualified_label(metrics, needed) for metrics, _ in rows if metrics["state"] == "silent"]
    if devices:
        text = f"silent: no heartbeat from {_listed(devices)}"
        yield Problem(text, kind="silent", brief=_brief("silent", devices))


def _hot(rows: Sequence[Row], needed: Sequence[Qualifier]) -> Iterator[Problem]:
    """The hottest first. Listed although it has a column, which may not fit on the screen."""
    found = [
        (celsius, f"{qualified_label(metrics, needed)} {celsius:.0f}°C")
        for metrics, utilization in rows
        if (celsius := utilization["temperature"]) is not None and celsius >= HOT_CELSIUS
    ]
    hot = [device for _, device in sorted(found, key=lambda each: -each[0])]
    if hot:
        yield Problem(f"hot: {_listed(hot)}", is_bad=True, kind="hot", brief=_brief("hot", hot))


def _files(kind: str, reasons: Mapping[str, str], *, is_bad: bool = False) -> Iterator[Problem]:
    """Files with the reasons for their failure; their number if there are several."""
    if reasons:
        count = f" {len(reasons)}" if len(reasons) > 1 else ""
        named = [f"{visible(name)} ({_cut(reason)})" for name, reason in islice(reasons.items(), NAMED)]
        names = [_cut(name) for name in islice(reasons, NAMED)]
        yield Problem(
            f"{kind}{count}: {_listed(named, len(reasons))}",
            is_bad,
            kind,
            _brief(kind + count, names, len(reasons)),
        )


def _stale(rows: Sequence[Row], needed: Sequence[Qualifier]) -> Iterator[Problem]:
    stale = [row for row in rows if is_stale(row[1]) and row[0]["state"] != "lost"]
    if stale:
        devices = [qualified_label(metrics, needed) for metrics, _ in stale]
        least = min(utilization["sample_age_seconds"] or 0.0 for _, utilization in stale)
        text = f"stale: no GPU sample from {_listed(devices)} for {_at_least(least, len(stale))}"
        yield Problem(text, kind="stale", brief=_brief("stale", devices))


def _without_figures(rows: Sequence[Row], needed: Sequence[Qualifier]) -> Iterator[Problem]:
    """GPUs for which the driver answers, but with every figure unknown."""
    unknown = [
        qualified_label(metrics, needed)
        for metrics, utilization in rows
        if utilization["sample_age_seconds"] is not None
        and not is_stale(utilization)
        and metrics["state"] != "lost"
        and all(utilization[name] is None for name in _FIGURES)
    ]
    if unknown:
        text = f"unknown: the driver reports no figures for {_listed(unknown)}; see virnucpro-bus doctor"
        yield Problem(text, kind="unknown", brief=_brief("unknown", unknown))


def _stalled(rows: Sequence[Row], needed: Sequence[Qualifier]) -> Iterator[Problem]:
    stalled = [metrics for metrics, _ in rows if is_stalled(metrics)]
    if stalled:
        devices = [qualified_label(metrics, needed) for metrics in stalled]
        queued = sum(metrics["queue_depth"] or 0 for metrics in stalled)
        least = _at_least(min(metrics["seconds_since_done"] or 0.0 for metrics in stalled), len(stalled))
        text = f"stalled: no file finished on {_listed(devices)} for {least}, {queued} queued"
        yield Problem(text, kind="stalled", brief=_brief("stalled", devices))


def _at_least(seconds: float, devices: int) -> str:
    return duration(seconds) + (" or more" if devices > 1 else "")


def _losses(lossy: Sequence[SourceCounts], needed: Sequence[Qualifier]) -> str:
    """The sources with their losses over all epochs, the greatest first."""
    lost = Counter[tuple[str, str]]()
    for source in lossy:
        lost[source["host"] if "host" in needed else "", source["source"]] += source["lost"]
    most = lost.most_common(NAMED)
    return _listed([f"{visible(f'{host} {name}'.strip())}: {count}" for (host, name), count in most], len(lost))


def _cut(text: str) -> str:
    shown = visible(text)
    return shown if len(shown) <= REASON_CHARACTERS else f"{shown[:REASON_CHARACTERS].rstrip(' .')}..."


def _brief(kind: str, names: Sequence[str], total: int | None = None) -> str:
    total = len(names) if total is None else total
    return f"{kind}: {_listed(names[:NAMED_BRIEFLY], total)}"


def _listed(names: Sequence[str], total: int | None = None) -> str:
    """The first of `names`, and how many of `total` are not among them."""
    total, shown = len(names) if total is None else total, names[:NAMED]
    more = "" if len(shown) == total else f" and {total - len(shown)} more"
    return ", ".join(shown) + more
