"""The ids of a resumed run's inputs, and where their results go: as planned, whatever inputs are added."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from virnucpro_bus.events.vocabulary import PlannedFile
from workers.inputs.ids import make_ids, need_own_folder
from workers.inputs.input_files import InputFiles
from workers.resume.recognition import Known


def name_inputs(
    files: InputFiles,
    known: Sequence[Known | None],
    planned: Mapping[str, PlannedFile],
    other_results: Iterable[str],
) -> InputFiles:
    """Return `files` with the ids and folders that they have in the run, into which new ones must fit.

    `known` are the planned files that they were recognized as. `other_results` are the names in the results folder
    that belong to planned files which are no input now.
    """
    others = list(other_results)
    # A planned file may still write any name that its stem covers, unless its results go to a folder of its own.
    stems = files.stems
    planned_stems = {
        stem for stem, past in zip(stems, known, strict=True) if past and not planned[past.id].own_folder
    }
    new = files.pick([number for number, past in enumerate(known) if past is None])
    new_ids = iter(make_ids(new.names, new.folders, planned.keys() | set(others), planned_stems))
    ids = [next(new_ids) if past is None else past.id for past in known]
    own_folders = need_own_folder(stems, ids, others)
    return files.renamed(
        ids, (_own_folder(past, planned, bool(own)) for past, own in zip(known, own_folders, strict=True))
    )


def _own_folder(past: Known | None, planned: Mapping[str, PlannedFile], own_folder: bool) -> bool:
    """Return whether all results go to a folder of its own: as planned, if the file is planned under its name."""
    if past is None or past.is_renamed:
        return own_folder
    as_planned = planned[past.id].own_folder
    return own_folder if as_planned is None else as_planned
