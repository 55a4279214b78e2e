"""Finding the input files that the arguments of a run name."""

from __future__ import annotations

import os
from array import array
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from workers.inputs.collector import FileCollector
from workers.inputs.folder import InputFolder
from workers.inputs.found_files import FoundFiles
from workers.inputs.ids import make_ids, need_own_folder
from workers.inputs.input_files import InputFiles
from workers.inputs.names import Reads
from workers.inputs.path_list import PathList
from workers.inputs.selection import Selection

MAX_ALIASES_NAMED = 10


@dataclass(frozen=True)
class FoundInputs:
    """The input files that the arguments of a run name."""

    files: InputFiles
    """In the order given, unless any order is to be the same."""
    doubles: int
    """How many paths lead to a file of an earlier path …"""
    aliases: tuple[tuple[Path, Path], ...]
    """… and the first of them, as (path, earlier path)."""
    folders: tuple[InputFolder, ...]
    """The folders among the arguments, in the order given."""


def find_inputs(
    arguments: Sequence[Path | PathList],
    *,
    reads: Reads = "both",
    patterns: Sequence[str] = (),
    recursive: bool = False,
    run_dir: Path | None = None,
    reserved: Collection[str] = (),
    in_any_order: bool = False,
) -> FoundInputs:
    """Return the files that `arguments` name; a folder stands for the sequence files directly in it, by name.

    Of a folder, the files are taken that a job can read which `reads` that, as far as their names show it; with
    `patterns`, those whose names match one of them. With `recursive`, the files of its subfolders are taken too.
    Hidden entries are skipped, and so are subfolders that hold a run, and `run_dir`. A list of paths stands for
    what it lists.
    `reserved` are names in the results folder that no input gets for its results. With `in_any_order` the order of
    the arguments makes no difference to the files, nor to their ids and costs.

    A file that is reached twice, through a link for example, is taken once. Empty files are taken. Raises
    UserError for a pattern that no name can match, and InputError for a path that is missing, cannot be read, is
    not a regular file, or is a folder without such files.
    """
    selection = Selection(reads, patterns)
    found = FileCollector(lambda path: InputFolder(path, selection, recursive=recursive, run_dir=run_dir))
    named: list[str] = []
    for argument in arguments:
        if isinstance(argument, PathList):
            found.add_paths(enumerate(named))
            named = []
            found.add_paths(argument.read(), argument.where)
        else:
            named.append(os.fspath(argument))
    found.add_paths(enumerate(named))
    rows: Sequence[int] = found.in_order_of_names() if in_any_order else range(len(found.names))
    doubles = found.doubles(rows)
    if doubles:
        rows = array("I", (row for row in rows if row not in doubles))
    every = FoundFiles(found.columns(), rows)
    ids = make_ids(every.names, every.folders, frozenset(reserved))
    first = islice(doubles.items(), MAX_ALIASES_NAMED)
    return FoundInputs(
        every.renamed(ids, map(bool, need_own_folder(every.stems, ids, reserved))),
        len(doubles),
        tuple((found.path(row), found.path(earlier)) for row, earlier in first),
        tuple(found.walked),
    )
