"""The input files of a run: a sequence of `InputFile`, and columns with one fact about each of them.

A run needs all of its files at once only for single facts: their ids, their costs, the event that plans them. So
they may be kept in any way; `found_files.py` has those of the command line.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import overload

from virnucpro_bus.events.run_events import PlannedFile
from workers.inputs.input_file import InputFile
from workers.inputs.names import stem_of_name


class InputFiles(Sequence[InputFile], ABC):
    """Input files in one order. Immutable. A column has a value for each file, in this order."""

    @staticmethod
    def of(files: Sequence[InputFile]) -> InputFiles:
        """Return `files` with columns, whatever holds them."""
        return files if isinstance(files, InputFiles) else GivenFiles(files)

    @property
    @abstractmethod
    def ids(self) -> Sequence[str]:
        """Column: the ids."""

    @property
    @abstractmethod
    def costs(self) -> Sequence[int]:
        """Column: the estimated work."""

    @property
    @abstractmethod
    def names(self) -> Sequence[str]:
        """Column: the base names."""

    @property
    @abstractmethod
    def folders(self) -> Sequence[str]:
        """Column: the absolute paths of the folders."""

    @property
    def stems(self) -> list[str]:
        """Column: the base names without their suffixes."""
        return [stem_of_name(name) for name in self.names]

    @property
    def paths(self) -> Iterable[str]:
        """Column: the absolute paths."""
        return map(path_in, self.folders, self.names)

    @property
    @abstractmethod
    def identities(self) -> Iterable[str]:
        """Column: the identities, see InputFile."""

    @abstractmethod
    def planned(self, numbers: Sequence[int]) -> Iterator[PlannedFile]:
        """Return what the plan says of the files at these indices."""

    @abstractmethod
    def pick(self, numbers: Sequence[int]) -> InputFiles:
        """Return the files at these indices, in this order."""

    @abstractmethod
    def with_costs(self, costs: Sequence[int]) -> InputFiles:
        """Return the same files with another estimate of the work in each."""

    @abstractmethod
    def renamed(self, ids: Iterable[str], own_folders: Iterable[bool]) -> InputFiles:
        """Return the same files with these ids, and whether the results of each go to a folder of its own."""

    def followed_by(self, others: InputFiles) -> InputFiles:
        """Return these files and then the others."""
        return GivenFiles([*self, *others])

    def biggest_first(self) -> InputFiles:
        """Return the files by descending cost, equal ones in this order."""
        return self.pick(sorted(range(len(self)), key=self.costs.__getitem__, reverse=True))

    def by_id(self) -> InputFiles:
        """Return the files by id."""
        return self.pick(sorted(range(len(self)), key=self.ids.__getitem__))

    @abstractmethod
    def _at(self, number: int) -> InputFile: ...

    @overload
    def __getitem__(self, index: int) -> InputFile: ...
    @overload
    def __getitem__(self, index: slice) -> InputFiles: ...
    def __getitem__(self, index: int | slice) -> InputFile | InputFiles:
        """Return one file, or those of a slice."""
        if isinstance(index, slice):
            return self.pick(range(len(self))[index])
        return self._at(index)

    def __eq__(self, other: object) -> bool:
        """Whether both hold equal files in the same order."""
        return isinstance(other, InputFiles | tuple | list) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]


class GivenFiles(InputFiles):
    """Files that a caller has made one by one."""

    def __init__(self, files: Iterable[InputFile]) -> None:
        self._files = list(files)

    @property
    def ids(self) -> Sequence[str]:
        """Column: the ids."""
        return [file.id for file in self._files]

    @property
    def costs(self) -> Sequence[int]:
        """Column: the estimated work."""
        return [file.cost for file in self._files]

    @property
    def names(self) -> Sequence[str]:
        """Column: the base names."""
        return [file.path.name for file in self._files]

    @property
    def folders(self) -> Sequence[str]:
        """Column: the absolute paths of the folders."""
        return [os.fspath(file.path.parent) for file in self._files]

    @property
    def identities(self) -> Iterable[str]:
        """Column: the identities, see InputFile."""
        return (file.identity for file in self._files)

    def planned(self, numbers: Sequence[int]) -> Iterator[PlannedFile]:
        """Return what the plan says of the files at these indices."""
        for number in numbers:
            file = self._files[number]
            yield PlannedFile(file.id, file.size_bytes, file.cost, file.identity, file.origin, file.own_folder)

    def pick(self, numbers: Sequence[int]) -> InputFiles:
        """Return the files at these indices, in this order."""
        return GivenFiles(self._files[number] for number in numbers)

    def with_costs(self, costs: Sequence[int]) -> InputFiles:
        """Return the same files with another estimate of the work in each."""
        return GivenFiles(replace(file, cost=cost) for file, cost in zip(self._files, costs, strict=True))

    def renamed(self, ids: Iterable[str], own_folders: Iterable[bool]) -> InputFiles:
        """Return the same files with these ids, and whether the results of each go to a folder of its own."""
        new = zip(self._files, ids, own_folders, strict=True)
        return GivenFiles(replace(file, id=name, own_folder=own) for file, name, own in new)

    def __len__(self) -> int:
        return len(self._files)

    def _at(self, number: int) -> InputFile:
        return self._files[number]


def path_in(folder: str, name: str) -> str:
    """Return the path of a file in an absolute folder."""
    return f"{folder}/{name}" if folder != "/" else f"/{name}"
