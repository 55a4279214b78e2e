"""The ids of a resumed run's inputs, and where their results go: as planned, whatever inputs are added."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from workers.inputs.ids import make_ids, need_own_folder
from workers.inputs.input_files import InputFiles
from workers.resume.as_planned import AsPlanned
from workers.resume.recognition import Known


def name_inputs(
    files: InputFiles,
    known: Sequence[Known | None],
    planned: AsPlanned,
    other_results: Iterable[str],
) -> InputFiles:
    """Return `files` with the ids and folders that they have in the run, into which new ones must fit.

    `known` are the planned files that they were recognized as. `other_results` are the names in the results folder
    that belong to planned files which are no input now.
    """
    # Of a file that is planned under its name it stays as planned; None: it is to be decided.
    own_folders = [None if past is None or past.is_renamed else planned.own_folder(past.id) for past in known]
    if None not in own_folders:
        # Nearly always: they are the inputs of before, and their names need not be compared.
        return files.renamed([past.id for past in known if past], map(bool, own_folders))
    others, stems = list(other_results), files.stems
    # A planned file may still write any name that its stem covers, unless its results go to a folder of its own.
    planned_stems = {
        stem for stem, past in zip(stems, known, strict=True) if past and not planned.own_folder(past.id)
    }
    new = files.pick([number for number, past in enumerate(known) if past is None])
    new_ids = iter(make_ids(new.names, new.folders, planned.ids | set(others), planned_stems))
    ids = [next(new_ids) if past is None else past.id for past in known]
    needed = need_own_folder(stems, ids, others)
    return files.renamed(
        ids, (bool(need if own is None else own) for need, own in zip(needed, own_folders, strict=True))
    )
