"""What one frame shows, what can be concluded from it (remaining time, problems), and how a figure is written.

Everything here is plain data and pure functions, apart from `StallWatch`, which remembers one number a device.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from virnucpro_bus.metrics import Effect, GpuMetrics, GpuUtilization, SourceCounts, StealEvent, Totals
from virnucpro_bus.text import visible

STALLED_AFTER_SECONDS = 300.0
DEVICES_NAMED = 4
UNKNOWN = "n/a"

Row = tuple[GpuMetrics, GpuUtilization]


@dataclass(frozen=True)
class Snapshot:
    """All that a frame, a plain line and a row of the log are made of."""

    rows: tuple[Row, ...]
    """One a device, in display order."""
    totals: Totals
    steals: tuple[StealEvent, ...]
    """Oldest first."""
    now_ns: int
    """Wall-clock time of the look, for display only."""
    elapsed_seconds: float | None = None
    """The run's own time so far; None when unknown."""
    eta_seconds: float | None = None
    """Time until the last file is done; None when unknown."""
    health: tuple[str, ...] = ()
    """One line a problem; empty when there is none."""
    title: str = ""
    """The run's name, or how it is replayed."""
    effect: Effect | None = None
    """What stealing has done for the run; None where the source does not tell."""

    @property
    def throughput(self) -> float | None:
        """Sequences per second of all devices of which it is known; None when it is known of none."""
        return known_sum(metrics["throughput"] for metrics, _ in self.rows)


def device_label(device_id: int | str) -> str:
    """How a device is called on screen: "GPU 0" for an NVML index, else its own name, e.g. "cpu:0"."""
    return f"GPU {device_id}" if isinstance(device_id, int) else visible(device_id)


def short_name(device_name: str) -> str:
    """A GPU's name without the maker, which is the same in every row."""
    return device_name.removeprefix("NVIDIA ").removeprefix("GeForce ").removeprefix("Tesla ")


def page(states: Sequence[str], room: int) -> list[int]:
    """Which rows are shown, in order: all, or, leaving a line to say so, as many as fit, the bad ones first."""
    if len(states) <= room:
        return list(range(len(states)))
    worst_first = sorted(range(len(states)), key=lambda index: states[index] not in ("lost", "silent"))
    return sorted(worst_first[: max(0, room - 1)])


def has_several_hosts(rows: Sequence[Row]) -> bool:
    """Whether a device's label needs its host to be told apart."""
    return len({metrics["host"] for metrics, _ in rows}) > 1


def device_labels(rows: Sequence[Row]) -> list[str]:
    """The label of each row's device, with the host before it when there are several hosts."""
    if has_several_hosts(rows):
        return [f"{visible(metrics['host'])} {device_label(metrics['device_id'])}" for metrics, _ in rows]
    return [device_label(metrics["device_id"]) for metrics, _ in rows]


def remaining_seconds(totals: Totals, elapsed_seconds: float | None) -> float | None:
    """ETA: remaining files x elapsed / completed files. None before the first completion and without a plan."""
    if totals["files_total"] is None or elapsed_seconds is None or totals["files_completed"] == 0:
        return None
    remaining = totals["files_total"] - totals["files_completed"] - totals["files_failed"]
    return max(0, remaining) * elapsed_seconds / totals["files_completed"]


class StallWatch:
    """For how long each device has finished no file, in the run's own time.

    Not taken from `last_update_time`: that is another host's wall clock, and lies in the past in a replay. A
    device first seen with files done counts from that moment, one without any from the start of the run.
    """

    def __init__(self) -> None:
        # (host, uuid or device_id) -> (files done when last seen to change, elapsed seconds at that moment)
        self._changed: dict[tuple[str, int | str], tuple[int, float]] = {}

    def idle_seconds(self, rows: Sequence[Row], elapsed_seconds: float) -> list[float]:
        """Seconds since the last completion or failure of each row's device."""
        return [self._idle(metrics, elapsed_seconds) for metrics, _ in rows]

    def _idle(self, metrics: GpuMetrics, elapsed_seconds: float) -> float:
        key = (metrics["host"], metrics["uuid"] or metrics["device_id"])
        done = metrics["files_completed"] + metrics["files_failed"]
        before, since = self._changed.get(key, (0, 0.0))
        if before != done or since > elapsed_seconds:
            since = elapsed_seconds
        self._changed[key] = (done, since)
        return elapsed_seconds - since


def problems(
    rows: Sequence[Row], totals: Totals, idle_seconds: Sequence[float], lossy: Sequence[SourceCounts] = ()
) -> tuple[str, ...]:
    """What is wrong, worst first, one line each: lost events, lost, silent and stalled devices.

    `idle_seconds` is StallWatch's answer for the same rows; empty when the run's time is unknown. `lossy` are the
    sources of lost events, where they are known.
    """
    labels = device_labels(rows)
    lines = []
    if totals["events_lost"] > 0:
        by_source = f" ({_losses(lossy, has_several_hosts(rows))})" if lossy else ""
        lines.append(f"lost events: {totals['events_lost']} of {totals['events_published']}{by_source}")
    for state, words in (("lost", "lost: {}"), ("silent", "silent: no sign of life from {}")):
        named = [label for label, (metrics, _) in zip(labels, rows, strict=True) if metrics["state"] == state]
        if named:
            lines.append(words.format(_listed(named)))
    stalled = [
        f"{label} has {metrics['queue_depth']} files waiting and has completed none for {idle:.0f} s"
        for label, (metrics, _), idle in zip(labels, rows, idle_seconds, strict=False)
        if idle >= STALLED_AFTER_SECONDS and metrics["queue_depth"] and metrics["state"] != "lost"
    ]
    lines += [f"stalled: {line}" for line in stalled[:DEVICES_NAMED]]
    if len(stalled) > DEVICES_NAMED:
        lines.append(f"stalled: {len(stalled) - DEVICES_NAMED} more devices")
    return tuple(lines)


def _losses(lossy: Sequence[SourceCounts], several_hosts: bool) -> str:
    """The sources with what they have lost in all their epochs, the most first."""
    lost = Counter[tuple[str, str]]()
    for source in lossy:
        lost[source["host"] if several_hosts else "", source["source"]] += source["lost"]
    return _listed([f"{visible(f'{host} {name}'.strip())}: {count}" for (host, name), count in lost.most_common()])


def _listed(names: list[str]) -> str:
    shown = ", ".join(names[:DEVICES_NAMED])
    return shown if len(names) <= DEVICES_NAMED else f"{shown} and {len(names) - DEVICES_NAMED} more"


def percent(value: float | None) -> str:
    """A whole percentage."""
    return UNKNOWN if value is None else f"{value:.0f}%"


def rate(value: float | None) -> str:
    """Sequences per second, in at most seven characters."""
    if value is None:
        return UNKNOWN
    if value < 9.995:
        return f"{value:.2f}"
    for limit, divisor, unit in ((99_999.95, 1, ""), (99_999_950, 1e3, "k"), (99_999_950_000, 1e6, "M")):
        if value < limit:
            return f"{value / divisor:.1f}{unit}"
    return f"{value:.1e}"


def duration(seconds: float | None) -> str:
    """H:MM:SS, with days before it from the second day on."""
    if seconds is None:
        return UNKNOWN
    minutes, second = divmod(int(seconds), 60)
    hours, minute = divmod(minutes, 60)
    days, hour = divmod(hours, 24)
    return f"{f'{days}d ' if days else ''}{hour}:{minute:02d}:{second:02d}"


def known_sum(values: Iterable[float | None]) -> float | None:
    """The sum of what is known; None when nothing is."""
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def known_mean(values: Iterable[float | None]) -> float | None:
    """The mean of what is known; None when nothing is."""
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None
