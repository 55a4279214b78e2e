"""Finding the input files that the arguments of a run name."""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from virnucpro_bus.errors import InputError
from virnucpro_bus.events.vocabulary import MAX_COUNT
from virnucpro_bus.text import visible
from workers.inputs.folder import FolderEntries, list_folder
from workers.inputs.ids import make_ids, need_own_folder
from workers.inputs.input_file import FileState, InputFile, origin_of, state_from
from workers.inputs.names import is_compressed_name, stem_of

COMPRESSED_BASES_PER_BYTE = 4
"""The estimated bases in one byte of a compressed file; a byte of any other file counts as one base."""


@dataclass(frozen=True)
class FoundInputs:
    """The input files that the arguments of a run name."""

    files: tuple[InputFile, ...]
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
    first_path: dict[tuple[int, int], Path] = {}
    states: list[FileState] = []
    aliases: list[tuple[Path, Path]] = []
    folders: list[FolderEntries] = []
    named: list[Path] = []
    for argument in arguments:
        path = argument.absolute()
        # Not Path.is_dir: it raises for some paths, such as too long ones.
        if os.path.isdir(argument):
            folders.append(list_folder(path, nucleotides_only=nucleotides_only))
            named += [path / name for name in folders[-1].taken]
        else:
            named.append(path)
    for path in sorted(named, key=_by_name) if in_any_order else named:
        status = _status_of_readable(path)
        identity = (status.st_dev, status.st_ino)
        if identity in first_path:
            aliases.append((path, first_path[identity]))
        else:
            first_path[identity] = path
            states.append(state_from(status))
    paths = list(first_path.values())
    ids = make_ids(paths, frozenset(reserved))
    stems = [stem_of(path) for path in paths]
    real_folders = {path.parent: os.path.realpath(path.parent) for path in paths}
    files = tuple(
        InputFile(
            name,
            path,
            stem,
            state.size_bytes,
            _cost(path, state.size_bytes),
            own_folder,
            state,
            origin_of(path, state, real_folders[path.parent]),
        )
        for name, path, stem, state, own_folder in zip(
            ids, paths, stems, states, need_own_folder(stems, ids, reserved), strict=True
        )
    )
    return FoundInputs(files, tuple(aliases), tuple(folders))


def _by_name(path: Path) -> list[bytes]:
    """Sort key: the name, then the folders from the last to the first, so that a mount point decides last."""
    return [os.fsencode(part) for part in reversed(path.parts)]


def _cost(path: Path, size_bytes: int) -> int:
    bases = size_bytes * (COMPRESSED_BASES_PER_BYTE if is_compressed_name(path.name) else 1)
    # A sparse file can have almost any size.
    return min(bases, MAX_COUNT)


def _status_of_readable(path: Path) -> os.stat_result:
    """Return the status of a regular file that can be opened. Raises InputError for anything else."""
    try:
        status = path.stat()
        if stat.S_ISREG(status.st_mode):
            path.open("rb").close()
            return status
    except FileNotFoundError as error:
        raise InputError(f"{visible(str(path))}: does not exist; check the path") from error
    except OSError as error:
        raise InputError(f"{visible(str(path))}: cannot be read: {error.strerror}") from error
    raise InputError(f"{visible(str(path))}: is not a regular file; give a file or a folder")
