"""Finding the input files that the arguments of a run name."""

from __future__ import annotations

import os
import stat
from array import array
from collections.abc import Collection, Sequence
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
from workers.inputs.names import is_compressed_name, stem_of_name

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
    found_in: list[str] = []
    names: list[str] = []
    for argument in arguments:
        path = argument.absolute()
        # Not Path.is_dir: it raises for some paths, such as too long ones.
        if os.path.isdir(argument):
            folders.append(list_folder(path, nucleotides_only=nucleotides_only))
            names += folders[-1].taken
            found_in += [os.fspath(path)] * len(folders[-1].taken)
        else:
            names.append(path.name)
            found_in.append(os.fspath(path.parent))
    if in_any_order:
        found_in, names = _in_order_of_names(found_in, names)
    files = _ColumnsOfFiles()
    aliases = []
    for folder, name in zip(found_in, names, strict=True):
        if (earlier := files.add(folder, name)) is not None:
            aliases.append((Path(folder, name), earlier))
    return FoundInputs(FoundFiles(files.columns(reserved)), tuple(aliases), tuple(folders))


class _ColumnsOfFiles:
    """Collects what is found of files, each file once."""

    def __init__(self) -> None:
        self._folders: list[str] = []
        self._names: list[str] = []
        self._sizes = array("q")
        self._mtimes = array("q")
        self._mtime_nanoseconds = array("I")
        self._inodes = array("Q")
        self._costs = array("q")
        self._rows: dict[int, dict[int, int]] = {}
        """The row of each file, by device and inode."""

    def add(self, folder: str, name: str) -> Path | None:
        """Add the file at this path; if it was added already, return its first path. Raises InputError."""
        status = _status_of_readable(path_in(folder, name))
        row = len(self._names)
        first = self._rows.setdefault(status.st_dev, {}).setdefault(status.st_ino, row)
        if first != row:
            return Path(self._folders[first], self._names[first])
        size_bytes = status.st_size
        seconds, nanoseconds = divmod(status.st_mtime_ns, NANOSECONDS)
        self._folders.append(folder)
        self._names.append(name)
        self._sizes.append(size_bytes)
        self._mtimes.append(seconds)
        self._mtime_nanoseconds.append(nanoseconds)
        self._inodes.append(status.st_ino)
        self._costs.append(_cost(name, size_bytes))
        return None

    def columns(self, reserved: Collection[str]) -> Columns:
        """Return the columns of the files that were added; to be called once."""
        self._rows.clear()
        ids = make_ids(self._names, self._folders, frozenset(reserved))
        stems = [stem_of_name(name) for name in self._names]
        return Columns(
            self._folders,
            self._names,
            self._sizes,
            self._mtimes,
            self._mtime_nanoseconds,
            self._inodes,
            {folder: digest_of_folder(os.path.realpath(folder)) for folder in set(self._folders)},
            ids,
            self._costs,
            need_own_folder(stems, ids, reserved),
        )


def _in_order_of_names(folders: Sequence[str], names: Sequence[str]) -> tuple[list[str], list[str]]:
    """Sort by the name, then by the folders from the last to the first, so that a mount point decides last."""
    keys = {folder: os.fsencode(folder).split(b"/")[::-1] for folder in set(folders)}
    order = sorted(range(len(names)), key=lambda at: (os.fsencode(names[at]), keys[folders[at]]))
    return [folders[at] for at in order], [names[at] for at in order]


def _cost(name: str, size_bytes: int) -> int:
    bases = size_bytes * (COMPRESSED_BASES_PER_BYTE if is_compressed_name(name) else 1)
    # A sparse file can have almost any size.
    return min(bases, MAX_COUNT)


def _status_of_readable(path: str) -> os.stat_result:
    """Return the status of a regular file that can be opened. Raises InputError for anything else."""
    try:
        status = os.stat(path)
        if stat.S_ISREG(status.st_mode):
            # To open each of a million files takes seconds; nearly all may be read by everyone.
            if status.st_mode & _READABLE_BY_ALL != _READABLE_BY_ALL:
                os.close(os.open(path, os.O_RDONLY))
            return status
    except FileNotFoundError as error:
        raise InputError(f"{visible(path)}: does not exist; check the path") from error
    except OSError as error:
        raise InputError(f"{visible(path)}: cannot be read: {error.strerror}") from error
    raise InputError(f"{visible(path)}: is not a regular file; give a file or a folder")
