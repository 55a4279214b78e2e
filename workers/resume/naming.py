"""The ids of a resumed run's inputs, and where their results go: as planned, whatever inputs are added."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from virnucpro_bus.events.vocabulary import PlannedFile
from workers.inputs.ids import make_ids, need_own_folder
from workers.inputs.input_file import InputFile
from workers.resume.recognition import Known


def name_inputs(
    files: Sequence[InputFile],
    known: Sequence[Known | None],
    planned: Mapping[str, PlannedFile],
    other_results: Iterable[str],
) -> tuple[InputFile, ...]:
    """Return `files` with the ids and folders that they have in the run, into which new ones must fit.

    `known` are the planned files that they were recognized as. `other_results` are the names in the results folder
    that belong to planned files which are no input now.
    """
    others = list(other_results)
    # A planned file may still write any name that its stem covers, unless its results go to a folder of its own.
    stems = {
        file.stem for file, past in zip(files, known, strict=True) if past and not planned[past.id].own_folder
    }
    new_paths = [file.path for file, past in zip(files, known, strict=True) if past is None]
    new_ids = iter(make_ids(new_paths, planned.keys() | set(others), stems))
    ids = [next(new_ids) if past is None else past.id for past in known]
    own_folders = need_own_folder([file.stem for file in files], ids, others)
    return tuple(
        replace(file, id=name, own_folder=_own_folder(past, planned, own_folder))
        for file, past, name, own_folder in zip(files, known, ids, own_folders, strict=True)
    )


def _own_folder(past: Known | None, planned: Mapping[str, PlannedFile], own_folder: bool) -> bool:
    """Return whether all results go to a folder of its own: as planned, if the file is planned under its name."""
    if past is None or past.is_renamed:
        return own_folder
    as_planned = planned[past.id].own_folder
    return own_folder if as_planned is None else as_planned
