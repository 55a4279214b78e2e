"""What grows with a run, as parts of a snapshot: some entries of one collection of a host at a time.

Files that are done are in columns, which are read three times as fast as a record for each; and a device's key,
which most of them share, is in a part once.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from itertools import starmap
from operator import attrgetter
from typing import Any, NamedTuple, TypeVar

from msgspec import Struct
from msgspec.structs import astuple, replace

from virnucpro_bus.effect.work_log import Part, WorkLog
from virnucpro_bus.events.commits import Commit
from virnucpro_bus.events.vocabulary import Count, Seconds
from virnucpro_bus.fold.host_fold import HostFold

Value = TypeVar("Value")


class Completed(Struct, array_like=True):
    """Completed files of a WorkLog, as columns."""

    files: list[str]
    ends_ns: list[Count]
    seconds: list[Seconds]
    keys: list[str]
    """Of their devices, once each …"""
    devices: list[Count]
    """… and for each file the place of its device's."""


class Committed(Struct, array_like=True):
    """Commits of CommittedFiles, as columns."""

    files: list[str]
    seqs: list[Count]
    sequences: list[Count | None]
    are_done: list[bool]
    origins: list[tuple[Count, str]]
    """Their epochs with the device's key, once each …"""
    places: list[Count]
    """… and for each file the place of its own."""


class Collection(NamedTuple):
    """A collection of a host whose entries are divided among parts. It must not change while they are made."""

    path: str
    """Where the HostFold has it."""
    entries: Callable[[Any], Iterator[Any]]
    """Iterates over the entries of the collection."""
    convert: Callable[[list[Any]], Any]
    """Returns what a part holds of some entries, at least one."""
    add: Callable[[Any, Any], int]
    """Adds to the collection what a part holds, and returns how many entries that is. May raise ValueError."""

    def of(self, host: HostFold) -> Any:
        """Return the collection of this host."""
        return attrgetter(self.path)(host)


def without_collections(host: HostFold) -> HostFold:
    """Return what remains of a host, which does not grow with its run."""
    log = dataclasses.replace(host._log, assigned=[], own_plans=[], own_folders={}, failed=[], steals={})
    log = dataclasses.replace(log, files=[], ends_ns=[], seconds=[], devices=[])
    committed = dataclasses.replace(host._committed, _last={})
    return replace(
        host, _devices={}, _streams={}, failures={}, attempts={}, _net_failures={}, _log=log, _committed=committed
    )


def _list(path: str, add: Callable[[Any, Any], int] | None = None) -> Collection:
    return Collection(path, iter, list, add or _add_to_list)


def _add_to_list(entries: list[Any], part: list[Any]) -> int:
    entries += part
    return len(part)


def _dict(path: str) -> Collection:
    return Collection(path, _items, dict, _add_to_dict)


def _items(entries: dict[Any, Any]) -> Iterator[Any]:
    return iter(entries.items())


def _add_to_dict(entries: dict[Any, Any], part: dict[Any, Any]) -> int:
    entries.update(part)
    return len(part)


def _add_plan(parts: list[Part], part: list[Part]) -> int:
    for _, files, costs in part:
        _check_lengths(files, costs)
    return _add_to_list(parts, part) + sum(len(files) for _, files, _ in part)


def _add_own_plans(plans: list[tuple[int, Part]], part: list[tuple[int, Part]]) -> int:
    plans += part
    return _add_plan([], [planned for _, planned in part])


def _completions(log: WorkLog) -> Iterator[tuple[str, int, float, str]]:
    return zip(log.files, log.ends_ns, log.seconds, log.devices, strict=True)


def _convert_completed(entries: list[tuple[str, int, float, str]]) -> Completed:
    files, ends_ns, seconds, devices = zip(*entries, strict=True)
    return Completed(list(files), list(ends_ns), list(seconds), *_placed(devices))


def _add_completed(log: WorkLog, part: Completed) -> int:
    _check_lengths(part.files, part.ends_ns, part.seconds, part.devices)
    log.files += part.files
    log.ends_ns += part.ends_ns
    log.seconds += part.seconds
    log.devices += map(part.keys.__getitem__, part.devices)
    return len(part.files)


def _convert_committed(entries: list[tuple[str, Commit]]) -> Committed:
    files, commits = zip(*entries, strict=True)
    epochs, seqs, devices, sequences, are_done = zip(*map(astuple, commits), strict=True)
    origins = list(zip(epochs, devices, strict=True))
    return Committed(list(files), list(seqs), list(sequences), list(are_done), *_placed(origins))


def _add_committed(commits: dict[str, Commit], part: Committed) -> int:
    _check_lengths(part.files, part.seqs, part.sequences, part.are_done, part.places)
    epochs, devices = zip(*part.origins, strict=True)
    columns = zip(
        map(epochs.__getitem__, part.places),
        part.seqs,
        map(devices.__getitem__, part.places),
        part.sequences,
        part.are_done,
        strict=True,
    )
    commits.update(zip(part.files, starmap(Commit, columns), strict=True))
    return len(part.files)


def _placed(values: Sequence[Value]) -> tuple[list[Value], list[int]]:
    """Return the different values, and the place of each value among these."""
    different = list(dict.fromkeys(values))
    places = {value: place for place, value in enumerate(different)}
    return different, list(map(places.__getitem__, values))


def _check_lengths(*columns: Sequence[object]) -> None:
    if len(set(map(len, columns))) > 1:
        raise ValueError("columns of different lengths")


COLLECTIONS = (
    _dict("_devices"),
    _dict("_streams"),
    _dict("failures"),
    _dict("attempts"),
    _dict("_net_failures"),
    _list("_log.assigned", _add_plan),
    _list("_log.own_plans", _add_own_plans),
    _dict("_log.own_folders"),
    _list("_log.failed"),
    _dict("_log.steals"),
    Collection("_log", _completions, _convert_completed, _add_completed),
    Collection("_committed._last", _items, _convert_committed, _add_committed),
)
"""All that grows with a run."""
