"""Finding the input files that the arguments of a run name."""

from __future__ import annotations

import os
import stat
from array import array
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from virnucpro_bus.clock import NANOSECONDS
from virnucpro_bus.errors import InputError
from virnucpro_bus.events.vocabulary import MAX_COUNT
from virnucpro_bus.text import visible
from workers.inputs.folder import FolderEntries, list_folder
from workers.inputs.found_files import Columns, FoundFiles
from workers.inputs.ids import make_ids, need_own_folder
from workers.inputs.input_file import digest_of_folder
from workers.inputs.input_files import InputFiles, path_in
from workers.inputs.names import is_compressed_name

COMPRESSED_BASES_PER_BYTE = 4
"""The estimated bases in one byte of a compressed file; a byte of any other file counts as one base."""

_READABLE_BY_ALL = stat.S_IRUSR | stat.S_IRGRP | stat.S_IROTH


@dataclass(frozen=True)
class FoundInputs:
    """The input files that the arguments of a run name."""

    files: InputFiles
    """In the order given, unless any order is to be the same."""
    aliases: tuple[tuple[Path, Path], ...]
    """Paths that lead to a file of an earlier path, as (path, earlier path)."""
    folders: tuple[FolderEntries, ...]
    """The folders among the arguments, in the order given."""


def find_inputs(
    arguments: Sequence[Path],
    *,
    nucleotides_only: bool = False,
    reserved: Collection[str] = (),
    in_any_order: bool = False,
) -> FoundInputs:
    """Return the files that `arguments` name; a folder stands for the sequence files directly in it, by name.

    `reserved` are names in the results folder that no input gets for its results. With `in_any_order` the order of
    the arguments makes no difference to the files, nor to their ids and costs.

    Hidden files of a folder are skipped, and with `nucleotides_only` its files of proteins too. A file that is
    reached twice, through a link for example, is taken once. Empty files are taken. Raises InputError for a path
    that is missing, cannot be read, is not a regular file, or is a folder without sequence files.
    """
    folders: list[FolderEntries] = []
    found = _ColumnsOfFiles()
    for argument in arguments:
        path = argument.absolute()
        # Not Path.is_dir: it raises for some paths, such as too long ones.
        if os.path.isdir(argument):
            folders.append(list_folder(path, nucleotides_only=nucleotides_only))
            found.add(os.fspath(path), folders[-1].taken)
        else:
            found.add(os.fspath(path.parent), [path.name])
    rows: Sequence[int] = found.in_order_of_names() if in_any_order else range(len(found.names))
    doubles = found.doubles(rows)
    if doubles:
        rows = array("I", (row for row in rows if row not in doubles))
    every = FoundFiles(found.columns(), rows)
    ids = make_ids(every.names, every.folders, frozenset(reserved))
    return FoundInputs(
        every.renamed(ids, map(bool, need_own_folder(every.stems, ids, reserved))),
        tuple((found.path(row), found.path(earlier)) for row, earlier in doubles.items()),
        tuple(folders),
    )


class _ColumnsOfFiles:
    """Collects what is found of files: a row for each path, in columns."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self._folders: list[str] = []
        self._sizes = array("q")
        self._mtimes = array("q")
        self._mtime_nanoseconds = array("I")
        self._devices = array("Q")
        self._inodes = array("Q")

    def add(self, folder: str, names: Sequence[str]) -> None:
        """Add the files of these names in a folder. Raises InputError."""
        for status in _statuses(folder, names):
            seconds, nanoseconds = divmod(status.st_mtime_ns, NANOSECONDS)
            self._sizes.append(status.st_size)
            self._mtimes.append(seconds)
            self._mtime_nanoseconds.append(nanoseconds)
            self._devices.append(status.st_dev)
            self._inodes.append(status.st_ino)
        self.names += names
        self._folders += [folder] * len(names)

    def path(self, row: int) -> Path:
        """Return the path of the file in a row."""
        return Path(self._folders[row], self.names[row])

    def in_order_of_names(self) -> Sequence[int]:
        """Return the rows by name, then by folder from the last part to the first: a mount point decides last."""
        keys = {folder: os.fsencode(folder).split(b"/")[::-1] for folder in set(self._folders)}
        names = [os.fsencode(name) for name in self.names]
        return array("I", sorted(range(len(names)), key=lambda row: (names[row], keys[self._folders[row]])))

    def doubles(self, rows: Iterable[int]) -> dict[int, int]:
        """Return which of `rows` hold a file that an earlier one of them holds too, and that earlier row."""
        if len(set(self._devices)) <= 1 and len(set(self._inodes)) == len(self._inodes):
            return {}  # as nearly always
        first_rows: dict[int, dict[int, int]] = {}
        doubles = {}
        for row in rows:
            first = first_rows.setdefault(self._devices[row], {}).setdefault(self._inodes[row], row)
            if first != row:
                doubles[row] = first
        return doubles

    def columns(self) -> Columns:
        """Return the columns; the ids in them are the names."""
        return Columns(
            self._folders,
            self.names,
            self._sizes,
            self._mtimes,
            self._mtime_nanoseconds,
            self._inodes,
            {folder: digest_of_folder(os.path.realpath(folder)) for folder in set(self._folders)},
            self.names,
            array("q", map(_cost, self.names, self._sizes)),
            bytearray(len(self.names)),
        )


def _cost(name: str, size_bytes: int) -> int:
    bases = size_bytes * (COMPRESSED_BASES_PER_BYTE if is_compressed_name(name) else 1)
    # A sparse file can have almost any size.
    return min(bases, MAX_COUNT)


def _statuses(folder: str, names: Sequence[str]) -> Iterator[os.stat_result]:
    """Yield the status of each file in a folder. Raises InputError unless it is a regular one that can be read."""
    name = names[0]
    try:
        # Reached from their folder, files need no walk down its path for each of them.
        folder_fd = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            for name in names:
                status = os.stat(name, dir_fd=folder_fd)
                if not stat.S_ISREG(status.st_mode):
                    raise InputError(
                        f"{visible(path_in(folder, name))}: is not a regular file; give a file or a folder"
                    )
                # To open each of a million files takes seconds; nearly all may be read by everyone.
                if status.st_mode & _READABLE_BY_ALL != _READABLE_BY_ALL:
                    os.close(os.open(name, os.O_RDONLY | os.O_CLOEXEC, dir_fd=folder_fd))
                yield status
        finally:
            os.close(folder_fd)
    except FileNotFoundError as error:
        raise InputError(f"{visible(path_in(folder, name))}: does not exist; check the path") from error
    except OSError as error:
        raise InputError(f"{visible(path_in(folder, name))}: cannot be read: {error.strerror}") from error
