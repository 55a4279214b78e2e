"""What is wrong, the worst first. Pure functions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Literal

from monitor.model.view_model import Problem, Row, device_label, has_several_hosts
from virnucpro_bus.metrics import FailedAttempt, GpuMetrics, SourceCounts, Totals, is_stale
from virnucpro_bus.text import visible
from virnucpro_bus.units import duration

STALLED_AFTER_SECONDS = 300.0
HOT_CELSIUS = 90.0
NAMED = 4
"""How many devices, sources or files are named before "and N more"."""
NAMED_BRIEFLY = 2
REASON_CHARACTERS = 60
_Figure = Literal["compute_percent", "memory_percent", "temperature", "power_watts"]
_FIGURES: tuple[_Figure, ...] = ("compute_percent", "memory_percent", "temperature", "power_watts")


def is_stalled(metrics: GpuMetrics) -> bool:
    """Whether the device has finished nothing for too long although files wait for it."""
    seconds = metrics.get("seconds_since_done")  # a user's own source may not tell
    waits = bool(metrics["queue_depth"]) and metrics["state"] not in ("lost", "stopped")
    return waits and seconds is not None and seconds >= STALLED_AFTER_SECONDS


def needs_attention(row: Row) -> bool:
    """Whether the device should be seen before others: lost, silent, stalled, or without fresh figures."""
    metrics, utilization = row
    return metrics["state"] in ("lost", "silent") or is_stale(utilization) or is_stalled(metrics)


def problems(
    rows: Sequence[Row],
    totals: Totals,
    lossy: Sequence[SourceCounts] = (),
    failures: Mapping[str, str] | None = None,
    attempts: Mapping[str, Sequence[FailedAttempt]] | None = None,
) -> tuple[Problem, ...]:
    """What is wrong: first what is lost (events, devices, files), then what may yet be well again.

    `lossy` are the sources of lost events, `failures` the files that failed for good with the reasons, `attempts`
    what was tried with them, where they are known.
    """
    several = has_several_hosts(rows)
    failures = failures or {}
    taken_out = {} if attempts is None else _taken_out(failures, attempts)
    failed = {file: reason for file, reason in failures.items() if file not in taken_out}
    found = [
        *_lost_events(totals, lossy, several),
        *_lost(rows, several),
        *_hot(rows, several),
        *_files("quarantined", taken_out, is_bad=True),
        *_silent(rows, several),
        *_stale(rows, several),
        *_blind(rows, several),
        *_stalled(rows, several),
        *_files("failed", failed),
    ]
    return tuple(found)


def _taken_out(failures: Mapping[str, str], attempts: Mapping[str, Sequence[FailedAttempt]]) -> dict[str, str]:
    """Those for which no attempt of their own speaks, but the coordinator: they have ended too many workers, or no
    device is left for them."""
    return {
        file: reason
        for file, reason in failures.items()
        if all(attempt["reason"] != reason for attempt in attempts.get(file, ()))
    }


def _lost_events(totals: Totals, lossy: Sequence[SourceCounts], several_hosts: bool) -> Iterator[Problem]:
    if totals["events_lost"] > 0:
        brief = f"lost events: {totals['events_lost']} of {totals['events_published']}"
        by_source = f" ({_losses(lossy, several_hosts)})" if lossy else ""
        yield Problem(brief + by_source, is_bad=True, kind="lost events", brief=brief)


def _lost(rows: Sequence[Row], several_hosts: bool) -> Iterator[Problem]:
    """GPUs that the driver has lost, and devices whose worker is gone: not the same, and not mended alike."""
    lost = [row for row in rows if row[0]["state"] == "lost"]
    for is_gpu, words in ((True, "lost: {} fell off the bus"), (False, "lost: no worker on {}")):
        devices = [_called(metrics, several_hosts) for metrics, told in lost if told["lost"] is is_gpu]
        if devices:
            yield Problem(
                words.format(_listed(devices)), is_bad=True, kind="lost", brief=_briefly("lost", devices)
            )


def _silent(rows: Sequence[Row], several_hosts: bool) -> Iterator[Problem]:
    devices = [_called(metrics, several_hosts) for metrics, _ in rows if metrics["state"] == "silent"]
    if devices:
        text = f"silent: no sign of life from {_listed(devices)}"
        yield Problem(text, kind="silent", brief=_briefly("silent", devices))


def _hot(rows: Sequence[Row], several_hosts: bool) -> Iterator[Problem]:
    """The hottest first. Told here too, because there may be no room for the column."""
    found = [
        (celsius, f"{_called(metrics, several_hosts)} {celsius:.0f}°C")
        for metrics, utilization in rows
        if (celsius := utilization["temperature"]) is not None and celsius >= HOT_CELSIUS
    ]
    hot = [called for _, called in sorted(found, key=lambda each: -each[0])]
    if hot:
        yield Problem(f"hot: {_listed(hot)}", is_bad=True, kind="hot", brief=_briefly("hot", hot))


def _files(kind: str, reasons: Mapping[str, str], *, is_bad: bool = False) -> Iterator[Problem]:
    """Files with what is the matter with them; of several first how many they are."""
    if reasons:
        count = f" {len(reasons)}" if len(reasons) > 1 else ""
        named = [f"{visible(name)} ({_cut(reason)})" for name, reason in islice(reasons.items(), NAMED)]
        names = [_cut(name) for name in islice(reasons, NAMED)]
        yield Problem(
            f"{kind}{count}: {_listed(named, len(reasons))}",
            is_bad,
            kind,
            _briefly(kind + count, names, len(reasons)),
        )


def _stale(rows: Sequence[Row], several_hosts: bool) -> Iterator[Problem]:
    stale = [row for row in rows if is_stale(row[1]) and row[0]["state"] != "lost"]
    if stale:
        devices = [_called(metrics, several_hosts) for metrics, _ in stale]
        least = min(utilization["sample_age_seconds"] or 0.0 for _, utilization in stale)
        text = f"stale: no GPU figures from {_listed(devices)} for {_at_least(least, len(stale))}"
        yield Problem(text, kind="stale", brief=_briefly("stale", devices))


def _blind(rows: Sequence[Row], several_hosts: bool) -> Iterator[Problem]:
    """GPUs of which the driver answers, but tells nothing at all."""
    blind = [
        _called(metrics, several_hosts)
        for metrics, utilization in rows
        if utilization["sample_age_seconds"] is not None
        and not is_stale(utilization)
        and metrics["state"] != "lost"
        and all(utilization[name] is None for name in _FIGURES)
    ]
    if blind:
        text = f"unknown: the driver tells nothing of {_listed(blind)}; see doctor"
        yield Problem(text, kind="unknown", brief=_briefly("unknown", blind))


def _stalled(rows: Sequence[Row], several_hosts: bool) -> Iterator[Problem]:
    stalled = [metrics for metrics, _ in rows if is_stalled(metrics)]
    if stalled:
        devices = [_called(metrics, several_hosts) for metrics in stalled]
        waiting = sum(metrics["queue_depth"] or 0 for metrics in stalled)
        least = _at_least(min(metrics["seconds_since_done"] or 0.0 for metrics in stalled), len(stalled))
        text = f"stalled: no file done by {_listed(devices)} for {least}, and {waiting} waiting"
        yield Problem(text, kind="stalled", brief=_briefly("stalled", devices))


def _at_least(seconds: float, of_how_many: int) -> str:
    return duration(seconds) + (" or more" if of_how_many > 1 else "")


def _called(metrics: GpuMetrics, several_hosts: bool) -> str:
    label = device_label(metrics["device_id"])
    return f"{visible(metrics['host'])} {label}" if several_hosts else label


def _losses(lossy: Sequence[SourceCounts], several_hosts: bool) -> str:
    """The sources with what they have lost in all their epochs, the most first."""
    lost = Counter[tuple[str, str]]()
    for source in lossy:
        lost[source["host"] if several_hosts else "", source["source"]] += source["lost"]
    most = lost.most_common(NAMED)
    return _listed([f"{visible(f'{host} {name}'.strip())}: {count}" for (host, name), count in most], len(lost))


def _cut(text: str) -> str:
    shown = visible(text)
    return shown if len(shown) <= REASON_CHARACTERS else f"{shown[:REASON_CHARACTERS].rstrip(' .')}..."


def _briefly(kind: str, names: Sequence[str], total: int | None = None) -> str:
    total = len(names) if total is None else total
    return f"{kind}: {_listed(names[:NAMED_BRIEFLY], total)}"


def _listed(names: Sequence[str], total: int | None = None) -> str:
    """The first of `names`, of which there are so many in all."""
    total, shown = len(names) if total is None else total, names[:NAMED]
    more = "" if len(shown) == total else f" and {total - len(shown)} more"
    return ", ".join(shown) + more
