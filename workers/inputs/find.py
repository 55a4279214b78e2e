"""Finding the input files that the arguments of a run name."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from virnucpro_bus.errors import InputError
from virnucpro_bus.text import visible
from workers.inputs.ids import make_ids, need_own_folder
from workers.inputs.input_file import FileState, InputFile, origin_of, state_from
from workers.inputs.names import SEQUENCE_SUFFIXES, is_gz, is_sequence_name, stem_of

GZ_BASES_PER_BYTE = 4
"""The estimated bases in one byte of a .gz file; a byte of any other file counts as one base."""


@dataclass(frozen=True)
class FoundInputs:
    """The input files that the arguments of a run name."""

    files: tuple[InputFile, ...]
    """In the order given."""
    aliases: tuple[tuple[Path, Path], ...]
    """Paths that lead to a file of an earlier path, as (path, earlier path)."""


def find_inputs(arguments: Sequence[Path]) -> FoundInputs:
    """Return the files that `arguments` name; a folder stands for the sequence files directly in it, by name.

    Hidden files of a folder are skipped. A file that is reached twice, through a link for example, is taken once.
    Empty files are taken. Raises InputError for a path that is missing, cannot be read, is not a regular file, or
    is a folder without sequence files.
    """
    first_path: dict[tuple[int, int], Path] = {}
    states: list[FileState] = []
    aliases: list[tuple[Path, Path]] = []
    for argument in arguments:
        for path in _expand(argument.absolute()):
            status = _status_of_readable(path)
            identity = (status.st_dev, status.st_ino)
            if identity in first_path:
                aliases.append((path, first_path[identity]))
            else:
                first_path[identity] = path
                states.append(state_from(status))
    paths = list(first_path.values())
    ids = make_ids(paths)
    stems = [stem_of(path) for path in paths]
    folders = {path.parent: os.path.realpath(path.parent) for path in paths}
    files = tuple(
        InputFile(
            name,
            path,
            stem,
            state.size_bytes,
            state.size_bytes * (GZ_BASES_PER_BYTE if is_gz(path.name) else 1),
            own_folder,
            state,
            origin_of(path, state, folders[path.parent]),
        )
        for name, path, stem, state, own_folder in zip(
            ids, paths, stems, states, need_own_folder(stems, ids), strict=True
        )
    )
    return FoundInputs(files, tuple(aliases))


def _expand(path: Path) -> list[Path]:
    """Return the path itself, or the sequence files directly in the folder."""
    # Not Path.is_dir: it raises for some paths, such as too long ones.
    if not os.path.isdir(path):
        return [path]
    try:
        with os.scandir(path) as entries:
            names = sorted(entry.name for entry in entries if is_sequence_name(entry.name) and not entry.is_dir())
    except OSError as error:
        raise InputError(f"{visible(str(path))}: cannot list the folder: {error.strerror}") from error
    if not names:
        suffixes = " ".join(SEQUENCE_SUFFIXES)
        raise InputError(
            f"{visible(str(path))}: contains no sequence files ({suffixes}, each also with .gz); "
            "choose another folder, or name the files themselves"
        )
    return [path / name for name in names]


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
