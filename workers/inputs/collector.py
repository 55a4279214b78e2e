"""What is found of files, path by path, in columns."""

from __future__ import annotations

import os
import stat
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from virnucpro_bus.clock import NANOSECONDS
from virnucpro_bus.errors import InputError
from virnucpro_bus.events.vocabulary import MAX_COUNT
from virnucpro_bus.text import visible
from workers.inputs.folder import InputFolder
from workers.inputs.found_files import Columns
from workers.inputs.input_file import digest_of_folder
from workers.inputs.input_files import path_in
from workers.inputs.names import is_compressed_name

COMPRESSED_BASES_PER_BYTE = 4
"""The estimated bases in one byte of a compressed file; a byte of any other file counts as one base."""
_READABLE_BY_ALL = stat.S_IRUSR | stat.S_IRGRP | stat.S_IROTH
_TOGETHER = 1_024
"""Of so many files that are named one after the other in one folder, the status is read together …"""
_WORTH_OPENING = 4
"""… and from so many on it is worth opening the folder."""


class UnusableNameError(InputError):
    """One of several names is not that of an input: the one at `index`."""

    def __init__(self, index: int, message: str) -> None:
        super().__init__(message)
        self.index = index


class FileCollector:
    """Collects what is found of files: a row for each path, in columns."""

    def __init__(self, open_folder: Callable[[Path], InputFolder]) -> None:
        self.names: list[str] = []
        self.walked: list[InputFolder] = []
        """The folders that were named."""
        self._open_folder = open_folder
        self._folders: list[str] = []
        self._sizes = array("q")
        self._mtimes = array("q")
        self._mtime_nanoseconds = array("I")
        self._devices = array("Q")
        self._inodes = array("Q")
        self._absolute: dict[str, str] = {}
        """The absolute paths of folders, by what paths begin with."""

    def add_paths(self, paths: Iterable[tuple[int, str]], where: Callable[[int], str] | None = None) -> None:
        """Add what these paths name, files and folders; `where` makes of a path's number the begin of an error.

        Raises InputError.
        """
        beginning = ""
        names: list[str] = []
        numbers: list[int] = []
        for number, path in paths:
            if path[-1] == "/":
                path = path.rstrip("/") or "/"
            at = path.rfind("/") + 1
            if path[:at] != beginning or len(names) == _TOGETHER:
                self._add_named(beginning, names, numbers, where)
                beginning, names, numbers = path[:at], [], []
            names.append(path[at:])
            numbers.append(number)
        self._add_named(beginning, names, numbers, where)

    def _add_named(
        self, beginning: str, names: Sequence[str], numbers: Sequence[int], where: Callable[[int], str] | None
    ) -> None:
        if not names:
            return
        if (folder := self._absolute.get(beginning)) is None:
            folder = self._absolute[beginning] = os.fspath(Path(beginning).absolute())
        try:
            self._add(folder, names, self._walk)
        except UnusableNameError as error:
            place = "" if where is None else visible(where(numbers[error.index]))
            raise InputError(f"{place}{error}") from error

    def _walk(self, path: Path) -> None:
        """Add the files that are taken of a folder. Raises InputError."""
        self.walked.append(self._open_folder(path))
        for folder, names in self.walked[-1].walk():
            self._add(folder, names)

    def _add(self, folder: str, names: Sequence[str], walk: Callable[[Path], object] | None = None) -> None:
        """Add the files of these names in a folder; `walk` is called for folders, in their place.

        Raises UnusableNameError for what is not a regular file that can be read.
        """
        added = 0
        for index, status in enumerate(_statuses(folder, names)):
            if not stat.S_ISREG(status.st_mode):
                self._name(folder, names[added:index])
                added = index + 1
                path = path_in(folder, names[index])
                if walk is None or not stat.S_ISDIR(status.st_mode):
                    reason = "is not a regular file; give a file or a folder"
                    raise UnusableNameError(index, f"{visible(path)}: {reason}")
                try:
                    walk(Path(path))
                except InputError as error:
                    raise UnusableNameError(index, str(error)) from error
                continue
            seconds, nanoseconds = divmod(status.st_mtime_ns, NANOSECONDS)
            self._sizes.append(status.st_size)
            self._mtimes.append(seconds)
            self._mtime_nanoseconds.append(nanoseconds)
            self._devices.append(status.st_dev)
            self._inodes.append(status.st_ino)
        self._name(folder, names[added:])

    def _name(self, folder: str, names: Sequence[str]) -> None:
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
    """Yield the status of each of these in a folder. Raises UnusableNameError if one cannot be read."""
    at = 0
    folder_fd = None
    try:
        # Reached from their folder, files need no walk down its path for each of them.
        if len(names) >= _WORTH_OPENING:
            folder_fd = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        for at, name in enumerate(names):  # noqa: B007
            place = name if folder_fd is not None else path_in(folder, name)
            status = os.stat(place, dir_fd=folder_fd)
            # To open each of a million files takes seconds; nearly all may be read by everyone.
            if status.st_mode & _READABLE_BY_ALL != _READABLE_BY_ALL and stat.S_ISREG(status.st_mode):
                os.close(os.open(place, os.O_RDONLY | os.O_CLOEXEC, dir_fd=folder_fd))
            yield status
    except OSError as error:
        is_missing = isinstance(error, FileNotFoundError)
        reason = "does not exist; check the path" if is_missing else f"cannot be read: {error.strerror}"
        raise UnusableNameError(at, f"{visible(path_in(folder, names[at]))}: {reason}") from error
    finally:
        if folder_fd is not None:
            os.close(folder_fd)
