"""What is wrong, as lines of text, the worst first. Pure, apart from `StallWatch`, which remembers one number a
device."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Literal

from monitor.snapshot import DeviceKey, Row, device_key, device_label, has_several_hosts
from virnucpro_bus.metrics import GpuMetrics, GpuUtilization, SourceCounts, Totals
from virnucpro_bus.text import visible

STALLED_AFTER_SECONDS = 300.0
STALE_AFTER_SECONDS = 3.0
NAMED = 4
"""How many devices, sources or files are named before "and N more"."""
REASON_CHARACTERS = 60
_Figure = Literal["compute_percent", "memory_percent", "temperature", "power_watts"]
_FIGURES: tuple[_Figure, ...] = ("compute_percent", "memory_percent", "temperature", "power_watts")


def is_stale(utilization: GpuUtilization) -> bool:
    """Whether a GPU that has been looked at has given no figures for too long."""
    age = utilization["sample_age_seconds"]
    return age is not None and age > STALE_AFTER_SECONDS


def in_trouble(row: Row) -> bool:
    """Whether the device should be seen before others: lost, silent, or without fresh figures."""
    return row[0]["state"] in ("lost", "silent") or is_stale(row[1])


class StallWatch:
    """For how long each device has finished no file, in the run's own time.

    Not taken from `last_update_time`: that is another host's wall clock, and lies in the past in a replay. A
    device first seen with files done counts from that moment, one without any from the start of the run.
    """

    def __init__(self) -> None:
        # Files done when last seen to change, and the elapsed seconds at that moment.
        self._changed: dict[DeviceKey, tuple[int, float]] = {}

    def idle_seconds(self, rows: Sequence[Row], elapsed_seconds: float) -> list[float]:
        """Seconds since the last completion or failure of each row's device."""
        return [self._idle(metrics, elapsed_seconds) for metrics, _ in rows]

    def _idle(self, metrics: GpuMetrics, elapsed_seconds: float) -> float:
        key = device_key(metrics)
        done = metrics["files_completed"] + metrics["files_failed"]
        before, since = self._changed.get(key, (0, 0.0))
        if before != done or since > elapsed_seconds:
            since = elapsed_seconds
        self._changed[key] = (done, since)
        return elapsed_seconds - since


def problems(
    rows: Sequence[Row],
    totals: Totals,
    idle_seconds: Sequence[float],
    lossy: Sequence[SourceCounts] = (),
    failures: Mapping[str, str] | None = None,
) -> tuple[str, ...]:
    """What is wrong, a line each: lost events, devices lost, silent, stale and stalled, and failed files.

    `idle_seconds` is StallWatch's answer for the same rows; empty when the run's time is unknown. `lossy` are the
    sources of lost events, and `failures` the files that failed for good with the reasons, where they are known.
    """
    several = has_several_hosts(rows)
    lines = []
    if totals["events_lost"] > 0:
        by_source = f" ({_losses(lossy, several)})" if lossy else ""
        lines.append(f"lost events: {totals['events_lost']} of {totals['events_published']}{by_source}")
    for state, words in (("lost", "lost: {}"), ("silent", "silent: no sign of life from {}")):
        devices = [metrics for metrics, _ in rows if metrics["state"] == state]
        if devices:
            lines.append(words.format(_called(devices, several)))
    lines += _stale(rows, several)
    lines += _blind(rows, several)
    lines += _stalled(rows, idle_seconds, several)
    if failures:
        named = [f"{visible(name)} ({_brief(reason)})" for name, reason in islice(failures.items(), NAMED)]
        lines.append(f"failed: {_listed(named, len(failures))}")
    return tuple(lines)


def _stale(rows: Sequence[Row], several: bool) -> list[str]:
    stale = [row for row in rows if is_stale(row[1]) and row[0]["state"] != "lost"]
    if not stale:
        return []
    least = min(row[1]["sample_age_seconds"] or 0.0 for row in stale)
    more = " or more" if len(stale) > 1 else ""
    return [f"stale: no GPU figures from {_called([row[0] for row in stale], several)} for {least:.0f} s{more}"]


def _blind(rows: Sequence[Row], several: bool) -> list[str]:
    """GPUs of which the driver answers, but tells nothing at all."""
    blind = [
        metrics
        for metrics, utilization in rows
        if utilization["sample_age_seconds"] is not None
        and not is_stale(utilization)
        and metrics["state"] != "lost"
        and all(utilization[name] is None for name in _FIGURES)
    ]
    return [f"unknown: the driver tells nothing of {_called(blind, several)}; see doctor"] if blind else []


def _stalled(rows: Sequence[Row], idle_seconds: Sequence[float], several: bool) -> list[str]:
    stalled = [
        (metrics, idle)
        for (metrics, _), idle in zip(rows, idle_seconds, strict=False)
        if idle >= STALLED_AFTER_SECONDS and metrics["queue_depth"] and metrics["state"] != "lost"
    ]
    lines = [
        f"stalled: {_called([metrics], several)} has {metrics['queue_depth']} files waiting"
        f" and has completed none for {idle:.0f} s"
        for metrics, idle in stalled[:NAMED]
    ]
    if len(stalled) > NAMED:
        lines.append(f"stalled: {len(stalled) - NAMED} more devices")
    return lines


def _called(devices: Sequence[GpuMetrics], several_hosts: bool) -> str:
    labels = [device_label(metrics["device_id"]) for metrics in devices[:NAMED]]
    if several_hosts:
        labels = [f"{visible(metrics['host'])} {label}" for metrics, label in zip(devices, labels, strict=False)]
    return _listed(labels, len(devices))


def _losses(lossy: Sequence[SourceCounts], several_hosts: bool) -> str:
    """The sources with what they have lost in all their epochs, the most first."""
    lost = Counter[tuple[str, str]]()
    for source in lossy:
        lost[source["host"] if several_hosts else "", source["source"]] += source["lost"]
    most = lost.most_common(NAMED)
    return _listed([f"{visible(f'{host} {name}'.strip())}: {count}" for (host, name), count in most], len(lost))


def _brief(reason: str) -> str:
    shown = visible(reason)
    return shown if len(shown) <= REASON_CHARACTERS else f"{shown[:REASON_CHARACTERS]}..."


def _listed(names: list[str], total: int) -> str:
    """The first of `total` names."""
    shown = ", ".join(names)
    return shown if len(names) == total else f"{shown} and {total - len(names)} more"
