"""The inputs of `run`: what the command line says of them, and lines about what is left out of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from virnucpro_bus.errors import UserError
from workers.inputs.find import FoundInputs
from workers.inputs.path_list import STANDARD_INPUT, PathList

MAX_FOLDERS_NAMED = 10
_NO_INPUT = "no INPUT: give files or folders, or - for a list of paths on standard input"


def input_arguments(inputs: Sequence[Path], files_from: Path | None, *, null: bool) -> list[Path | PathList]:
    """Return the inputs in their order, those of --files-from last. Raises UsageError and UserError.

    `null`: the paths in a list end with a NUL.
    """
    given = [*inputs, *([] if files_from is None else [files_from])]
    if not given:
        raise click.UsageError(_NO_INPUT, click.get_current_context())
    if given.count(STANDARD_INPUT) > 1:
        raise UserError("standard input is a list of paths that can be read once: give - once")
    if null and files_from is None and STANDARD_INPUT not in inputs:
        raise UserError("--null is about a list of paths: add --files-from FILE, or - for standard input")
    arguments = [PathList(path, null=null) if path == STANDARD_INPUT else path for path in inputs]
    return arguments if files_from is None else [*arguments, PathList(files_from, null=null)]


def left_out_lines(found: FoundInputs) -> Iterator[str]:
    """Yield lines that say what is left out of folders, and which paths lead to a file that is there already."""
    lacking = [folder for folder in found.folders if folder.left_out()]
    for folder in lacking[:MAX_FOLDERS_NAMED]:
        yield f"{folder.path}: left out: {folder.left_out()}; to include files, {folder.remedy()}"
    if (more := len(lacking) - MAX_FOLDERS_NAMED) > 0:
        yield f"{more} more folders of which something is left out"
    for path, same_as in found.aliases:
        yield (
            f"{path} is given twice: processed once"
            if path == same_as
            else f"{path} is the same file as {same_as}: processed once"
        )
    if (more := found.doubles - len(found.aliases)) > 0:
        yield f"{more} more paths of files that are given twice: each is processed once"
