"""Finds runs: those that this user has started, by the registry, and those in folders that are named."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from math import inf
from pathlib import Path

from monitor.runs.row import RUNNING, RunRow, row_of, unknown_row
from virnucpro_bus import run_registry
from virnucpro_bus.clock import NANOSECONDS
from virnucpro_bus.errors import UserError
from virnucpro_bus.run_registry import Entry
from virnucpro_bus.text import visible


def registered_runs(*, of_all_hosts: bool = False) -> list[RunRow]:
    """Return the runs that this user has started on this machine, the latest start first.

    Those of other machines with the same home folder too, with `of_all_hosts`. An entry of this machine whose run
    is no longer there is removed from the registry.
    """
    found = []
    for entry in run_registry.entries():
        row = row_of(Path(entry.folder))
        if not entry.is_of_this_host:
            if of_all_hosts:
                found.append(_elsewhere(entry, row))
        elif row is None:
            run_registry.remove(entry)
        else:
            found.append(_with_entry(row, entry))
    return _latest_first(found)


def newest_running() -> str | None:
    """Return the folder of the live run that this user has started last on this machine; None without one."""
    for entry in run_registry.entries():
        if entry.is_of_this_host:
            row = row_of(Path(entry.folder))
            if row is not None and row["state"] == RUNNING:
                return entry.folder
    return None


def runs_in(folders: Sequence[Path]) -> list[RunRow]:
    """Return the runs in these folders, and in the folders directly in them, the latest start first.

    Raises UserError for what is not a folder, or cannot be read.
    """
    places = dict.fromkeys(place for folder in folders for place in (folder, *_folders_in(folder)))
    entries = {os.path.realpath(entry.folder): entry for entry in run_registry.entries() if entry.is_of_this_host}
    found = []
    for place in places:
        row = row_of(place)
        if row is not None:
            entry = entries.get(os.path.realpath(place))
            found.append(row if entry is None else _with_entry(row, entry))
    return _latest_first(found)


def _folders_in(folder: Path) -> Iterator[Path]:
    try:
        with os.scandir(folder) as found:
            names = sorted(entry.name for entry in found if entry.is_dir())
    except OSError as error:
        raise UserError(f"{visible(str(folder))}: cannot be read: {error.strerror}") from None
    return (folder / name for name in names)


def _with_entry(row: RunRow, entry: Entry) -> RunRow:
    """Add what the registry knows of a run; its folder may hold another one by now, of which it knows nothing."""
    if row["run"] not in (None, entry.run):
        return row
    started = entry.started_ns / NANOSECONDS if row["started"] is None else row["started"]
    return {**row, "run": entry.run, "host": row["host"] or entry.host, "started": started}


def _elsewhere(entry: Entry, row: RunRow | None) -> RunRow:
    """The run of another machine: its folder is on a shared disk, unless another run is in that place here."""
    if row is None or row["run"] != entry.run:
        row = unknown_row(Path(entry.folder))
    return _with_entry(row, entry)


def _latest_first(rows: Iterable[RunRow]) -> list[RunRow]:
    """Sort by start; runs of which that is not known come last, by folder."""
    return sorted(rows, key=lambda row: (inf if row["started"] is None else -row["started"], row["folder"]))
