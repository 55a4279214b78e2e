"""Lays recorded runs out as rows: each host of each run, with its sessions and its devices. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, count

from virnucpro_bus.device_keys import device_title
from virnucpro_bus.devices import display_id, is_simulated
from virnucpro_bus.events.vocabulary import Device
from virnucpro_bus.sources.recording import Recording
from virnucpro_bus.text import visible
from virnucpro_bus.timeline.timeline import Attempt, Depth, DeviceKey, Loading, Timeline
from virnucpro_bus.traces.counters import counters_of, unknown_slices
from virnucpro_bus.traces.lanes import in_lanes
from virnucpro_bus.traces.rows import Counter, Row, Slice
from virnucpro_bus.traces.slices import (
    Arrows,
    attempt_slice,
    loading_slice,
    loss_slice,
    notice_slice,
    session_slice,
    steal_slice,
)


def rows_of(recordings: Sequence[Recording]) -> list[Row]:
    """One row for each host of each run, and below it all that happened there."""
    timelines = [each.timeline for each in recordings]
    end_ns = max(map(_end_ns, timelines), default=0)
    numbers = count(1)
    names = [f"{visible(str(each.path))}, " if len(recordings) > 1 else "" for each in recordings]
    return [
        row
        for timeline, name in zip(timelines, names, strict=True)
        for row in _RunLayout(timeline, numbers, end_ns).rows(name)
    ]


def _end_ns(timeline: Timeline) -> int:
    """The last moment of a run that a trace shows."""
    ends = [each.end_ns for each in timeline.attempts[-1:]]
    ends += [each.end_ns for each in timeline.loading]
    ends += [each.end_ns for each in timeline.sessions]
    ends += [each.at_ns for each in timeline.losses[-1:]]
    ends += [each.at_ns for each in timeline.depths[-1:]]
    ends += [each.at_ns for each in timeline.notices[-1:]]
    ends += [each.times[-1] for each in timeline.samples.values()]
    return max(ends, default=0)


class _RunLayout:
    """The rows of one run."""

    def __init__(self, timeline: Timeline, numbers: Iterator[int], end_ns: int) -> None:
        """`numbers` are those of the arrows; `end_ns` is the end of the trace."""
        self._timeline, self._end_ns = timeline, end_ns
        self._arrows = Arrows(timeline, numbers)
        self._work: defaultdict[DeviceKey, list[Attempt | Loading]] = defaultdict(list)
        """What takes time on each device …"""
        self._moments: defaultdict[DeviceKey, list[Slice]] = defaultdict(list)
        """… and the instants there."""
        self._drawn: set[DeviceKey] = set()
        """The GPUs whose figures have a row already."""
        for attempt in timeline.attempts:
            self._work[attempt.host, attempt.device].append(attempt)
        for loading in timeline.loading:
            self._work[loading.host, loading.device].append(loading)
        for steal in timeline.steals:
            self._moments[steal.host, steal.victim].append(steal_slice(steal, self._label, self._arrows))
        for loss in timeline.losses:
            self._moments[loss.host, loss.device].append(loss_slice(loss))

    def rows(self, prefix: str) -> Iterator[Row]:
        """A row for each host; `prefix` precedes its name."""
        timeline = self._timeline
        hosts = {host for host, _ in timeline.devices}
        hosts |= {each.host for each in timeline.sessions} | {each.host for each in timeline.notices}
        for host in sorted(hosts):
            run = [session_slice(each) for each in timeline.sessions if each.host == host]
            run += [notice_slice(each) for each in timeline.notices if each.host == host]
            depths = [each for each in timeline.depths if each.host == host]
            yield Row(
                prefix + visible(host),
                counters=[Counter("", "pending", "files", _changes(depths))] if depths else [],
                rows=[
                    *([Row("run", run)] if run else []),
                    *(self._device_row(host, device) for device in self._devices_of(host)),
                ],
            )

    def _devices_of(self, host: str) -> list[Device]:
        """The devices of a host that had anything to do; all if none had."""
        found = {key: device for key, device in self._timeline.devices.items() if key[0] == host}
        used = [device for key, device in found.items() if key in self._work or key in self._moments]
        return used or list(found.values())

    def _device_row(self, host: str, device: Device) -> Row:
        """The row of a device. What overlaps with the files there, or is unknown, has rows of its own below it."""
        label = self._label(host, device.key)
        first, *others = in_lanes(self._work.get((host, device.key), [])) or [[]]
        rows = [Row(f"{label} ({number})", self._slices(lane)) for number, lane in enumerate(others, start=2)]
        counters: list[Counter] = []
        name = label if device.name.lower() in label else f"{label} {visible(device.name)}"
        gpus = self._timeline.samples_of(host, device.key)
        if any(samples.simulated for samples in gpus.values()) and not is_simulated(device.key):
            name += " (simulated figures)"
        for gpu, samples in gpus.items():
            if (host, gpu) in self._drawn:
                continue  # below the device before, which uses the same GPU
            self._drawn.add((host, gpu))
            owner = self._label(host, gpu)
            figures = counters_of(samples, owner)
            if len(gpus) == 1:
                counters = figures
            else:
                rows.append(Row(owner, counters=figures))
            if unknown := list(unknown_slices(samples, self._end_ns)):
                rows.append(Row(f"{owner} unknown figures", unknown))
        moments = self._moments.get((host, device.key), [])
        return Row(name, chain(self._slices(first), moments), counters, rows)

    def _slices(self, works: Iterable[Attempt | Loading]) -> Iterator[Slice]:
        for work in works:
            if isinstance(work, Attempt):
                yield attempt_slice(work, self._label, self._arrows)
            else:
                yield loading_slice(work)

    def _label(self, host: str, key: str) -> str:
        return device_title(display_id(self._timeline.devices.get((host, key), Device(key))))


def _changes(depths: Iterable[Depth]) -> Iterator[tuple[int, float]]:
    last = None
    for depth in depths:
        if depth.files != last:
            last = depth.files
            yield depth.at_ns, depth.files
