"""The input files that were found, in columns: a million of them take 130 MB.

An object for each would take ten times as much. An `InputFile` is made when one is asked for.
"""

from __future__ import annotations

import os
from array import array
from collections.abc import Iterable, Iterator, Mapping, MutableSequence, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from virnucpro_bus.clock import NANOSECONDS
from virnucpro_bus.events.run_events import PlannedFile
from workers.inputs.input_file import FileState, InputFile, StateTexts, identities_of, origins_in, state_texts
from workers.inputs.input_files import InputFiles, path_in
from workers.inputs.names import stem_of_name

T = TypeVar("T")
_TOGETHER = 1_024
"""Of so many files what a plan says is made at a time: column by column is faster, and all would take memory."""


@dataclass(frozen=True, eq=False)
class Columns:
    """What was found of each file, a column for each fact. A string is shared by the columns that hold it."""

    folders: Sequence[str]
    """As in InputFiles, and so are `names`, `ids` and `costs`."""
    names: Sequence[str]
    sizes: Sequence[int]
    """Bytes."""
    mtimes: Sequence[int]
    """When it was modified, whole seconds since 1970 …"""
    mtime_nanoseconds: Sequence[int]
    """… and what is beyond them: together they can have more than 64 bits."""
    inodes: Sequence[int]
    folder_digests: Mapping[str, str]
    """The digest of the path without links, by folder."""
    ids: Sequence[str]
    costs: Sequence[int]
    own_folders: Sequence[int]
    """Whether all results go to a folder of their own: 1 or 0."""


class FoundFiles(InputFiles):
    """Files that were found: some rows of columns."""

    def __init__(self, columns: Columns, rows: Sequence[int] | None = None) -> None:
        """`rows` None: all."""
        self._columns = columns
        self._rows: Sequence[int] = range(len(columns.names)) if rows is None else rows

    @property
    def ids(self) -> Sequence[str]:
        """Column: the ids."""
        return self._texts(self._columns.ids)

    @property
    def costs(self) -> Sequence[int]:
        """Column: the estimated work."""
        costs = self._columns.costs
        return costs if self._has_all else array("q", map(costs.__getitem__, self._rows))

    @property
    def names(self) -> Sequence[str]:
        """Column: the base names."""
        return self._texts(self._columns.names)

    @property
    def folders(self) -> Sequence[str]:
        """Column: the absolute paths of the folders."""
        return self._texts(self._columns.folders)

    @property
    def identities(self) -> Iterable[str]:
        """Column: the identities, see InputFile."""
        for rows in _parts(self._rows):
            yield from identities_of(self._paths(rows, self._names(rows)), self._states(rows))

    def planned(self, numbers: Sequence[int]) -> Iterator[PlannedFile]:
        """Return what the plan says of the files at these indices."""
        columns = self._columns
        for part in _parts(numbers):
            rows = [self._rows[number] for number in part]
            names, states = self._names(rows), self._states(rows)
            yield from map(
                PlannedFile,
                [columns.ids[row] for row in rows],
                [columns.sizes[row] for row in rows],
                [columns.costs[row] for row in rows],
                identities_of(self._paths(rows, names), states),
                origins_in([columns.folder_digests[columns.folders[row]] for row in rows], names, states),
                [bool(columns.own_folders[row]) for row in rows],
            )

    def pick(self, numbers: Sequence[int]) -> InputFiles:
        """Return the files at these indices, in this order."""
        return FoundFiles(self._columns, array("I", map(self._rows.__getitem__, numbers)))

    def followed_by(self, others: InputFiles) -> InputFiles:
        """Return these files and then the others."""
        if isinstance(others, FoundFiles) and others._columns is self._columns:
            return FoundFiles(self._columns, array("I", [*self._rows, *others._rows]))
        return super().followed_by(others)

    def with_costs(self, costs: Sequence[int]) -> InputFiles:
        """Return the same files with another estimate of the work in each."""
        column = array("q", bytes(8 * len(self._columns.costs)))
        return FoundFiles(replace(self._columns, costs=self._filled(column, costs)), self._rows)

    def renamed(self, ids: Iterable[str], own_folders: Iterable[bool]) -> InputFiles:
        """Return the same files with these ids, and whether the results of each go to a folder of its own."""
        columns, rows = self._columns, len(self._columns.ids)
        columns = replace(
            columns,
            ids=self._filled([""] * rows, ids),
            own_folders=self._filled(bytearray(rows), own_folders),
        )
        return FoundFiles(columns, self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    def _at(self, number: int) -> InputFile:
        row, columns = self._rows[number], self._columns
        folder, name = columns.folders[row], columns.names[row]
        return InputFile(
            columns.ids[row],
            Path(folder, name),
            stem_of_name(name),
            columns.sizes[row],
            columns.costs[row],
            bool(columns.own_folders[row]),
            FileState(columns.sizes[row], self._mtime_ns(row), columns.inodes[row]),
            columns.folder_digests[folder],
        )

    # Of some rows, as digests need it.

    def _names(self, rows: Sequence[int]) -> list[bytes]:
        return [os.fsencode(self._columns.names[row]) for row in rows]

    def _paths(self, rows: Sequence[int], names: Sequence[bytes]) -> list[bytes]:
        folders = [self._columns.folders[row] for row in rows]
        # Nearly all are in one folder.
        beginnings = {folder: os.fsencode(path_in(folder, "")) for folder in set(folders)}
        return [beginnings[folder] + name for folder, name in zip(folders, names, strict=True)]

    def _states(self, rows: Sequence[int]) -> StateTexts:
        columns = self._columns
        return state_texts(
            [columns.sizes[row] for row in rows], map(self._mtime_ns, rows), [columns.inodes[row] for row in rows]
        )

    def _mtime_ns(self, row: int) -> int:
        return self._columns.mtimes[row] * NANOSECONDS + self._columns.mtime_nanoseconds[row]

    def _texts(self, column: Sequence[str]) -> Sequence[str]:
        """Return the values of these rows."""
        return column if self._has_all else [column[row] for row in self._rows]

    @property
    def _has_all(self) -> bool:
        return isinstance(self._rows, range)

    def _filled(self, column: MutableSequence[T], values: Iterable[T]) -> MutableSequence[T]:
        """Return a column of the length of all, with the `values` of these rows in it."""
        for row, value in zip(self._rows, values, strict=True):
            column[row] = value
        return column


def _parts(numbers: Sequence[int]) -> Iterator[Sequence[int]]:
    return (numbers[first : first + _TOGETHER] for first in range(0, len(numbers), _TOGETHER))
