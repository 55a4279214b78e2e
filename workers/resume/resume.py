"""Resuming an interrupted run: which files are done, which remain, and which events bring viewers up to date.

A file is done if the journal records its commit, its input has not changed since, and its results are in place
with the digest that was recorded. All other files start over: earlier leases and attempts are void, and failed
files are tried again. Results of a file that is done again stay in place until its next commit replaces them.
Results that were never committed are removed, as far as the journal names them.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from virnucpro_bus.errors import UserError
from virnucpro_bus.events.run_events import PlannedFile, Shard
from virnucpro_bus.events.vocabulary import Fact, FileRecognized, FileReopened
from virnucpro_bus.run_folder import CAPTURE_NAME
from virnucpro_bus.system.console import say
from virnucpro_bus.text import visible
from workers.commit.placement import NO_RESULTS, Placement
from workers.commit.result_store import ResultStore
from workers.inputs.input_file import InputFile, content_digest
from workers.inputs.input_files import InputFiles
from workers.resume.journal import PastRun, SettledFile
from workers.resume.naming import name_inputs
from workers.resume.recognition import Known, recognize
from workers.resume.unnamed_results import UnnamedResults

# Reasons why a settled file is not done, as viewers show them.
CHANGED = "the input has changed"
DAMAGED = "its results are missing or have changed"
NOT_COMMITTED = "its results were not committed"
NO_LONGER_INPUT = "it is no longer an input"
FAILED = "it had failed and is tried again"
INPUTS_OF_SHARDS_CHANGED = (
    "the inputs have changed since the shards were made: this one keeps its files; files that were added are in "
    "no shard, and need a run of their own"
)


@dataclass(frozen=True)
class ResumePlan:
    """What a session of a run starts with. The defaults are those of a new run."""

    remaining: Sequence[InputFile]
    shard: Shard | None = None
    """Which part of the inputs the run's files are, as it was made; None: all of them."""
    done: int = 0
    """How many files of the run are done already."""
    events: tuple[Fact, ...] = ()
    """To publish once the run is announced: lost workers of earlier sessions, and files that are pending again."""
    notes: tuple[str, ...] = ()
    """Messages for the user, one line each."""
    last_epoch: int = 0
    """The latest epoch of the run's coordinators so far …"""
    last_worker_epoch: int = 0
    """… and of its workers."""


def plan_resume(
    past: PastRun,
    inputs: Sequence[InputFile],
    store: ResultStore,
    *,
    shard: Shard | None = None,
    others: Sequence[InputFile] = (),
    redo: bool = False,
    reserved: Sequence[str] = (),
    warn: Callable[[str], object] = say,
) -> ResumePlan:
    """Compare the journal with inputs and results, and remove the results that were never committed.

    For the arguments, and what is raised, see `compare_with_past`.
    """
    plan, clear_results = compare_with_past(
        past, inputs, store, shard=shard, others=others, redo=redo, reserved=reserved, warn=warn
    )
    clear_results()
    return plan


def compare_with_past(
    past: PastRun,
    inputs: Sequence[InputFile],
    store: ResultStore,
    *,
    shard: Shard | None = None,
    others: Sequence[InputFile] = (),
    redo: bool = False,
    reserved: Sequence[str] = (),
    warn: Callable[[str], object] = say,
) -> tuple[ResumePlan, Callable[[], None]]:
    """Compare the journal with inputs and results; return the plan, and what removes results that do not count.

    Nothing is changed before that is called. `inputs` are the part `shard` of all, and `others` the other parts. A
    shard keeps its files: where the inputs have changed since it was made, and so their parts, it has those of all
    inputs that it had planned.
    `reserved` are names in the results folder that no input gets for its results. `warn` is called with a line for
    the user before inputs are read. Raises UserError where more files would be done again than are kept, unless
    `redo`.
    """
    # Where the journal is damaged, a commit may be all that it holds of a file.
    past.planned.add(PlannedFile(file, 0, 0) for file in past.committed if file not in past.planned.ids)
    made = shard if past.started is None else past.started.shard
    has_old_inputs = made == shard
    every = InputFiles.of(inputs)
    if not has_old_inputs:
        every = every.followed_by(InputFiles.of(others))
    known = _recognize(past, every, store, warn)
    if not has_old_inputs:
        every = every.pick([number for number, each in enumerate(known) if each])
        known = [each for each in known if each]
    planned = {each.id: each for each in known if each}
    # Not the difference of both: that would be a copy of a million ids first.
    missing = [file for file in past.planned.ids if file not in planned]
    leftovers = [name for file in missing for name in past.results.entries(file)]
    files = name_inputs(every, known, past.planned, [*leftovers, *reserved])
    placements = _committed_results(past, files, store)
    done = {
        file
        for file, placement in placements.items()
        if planned[file].is_unchanged and store.is_intact(placement, past.manifest_of(file))
    }
    # Nearly always there are no new ones, and no second set of a million ids is needed.
    given = planned.keys() if len(planned) == len(files) else set(files.ids)
    reopened = [
        FileReopened(file, end.device, end.completed, end.sequences, _reason(past, file, end, given, planned))
        for file, end in past.settled.items()
        if file not in done and (file in given or file not in past.committed)
    ]
    kept = [file for file in past.committed if file in done or file not in given]
    if not redo:
        _refuse_to_redo(store, [event for event in reopened if event.file in past.committed], len(kept))
    redone = {file for file in chain(placements, past.results.files) if file in given and file not in done}
    notes = [f"{event.file}: is done again: {event.reason}" for event in reopened if event.completed]
    notes += [
        f"{visible(name)}: is {file} under another name, and its results keep that name"
        for name, file in zip(files.names, files.ids, strict=True)
        if file in done and planned[file].is_renamed
    ]
    if not has_old_inputs:
        notes.insert(0, INPUTS_OF_SHARDS_CHANGED)
    if past.damaged_places:
        notes.insert(0, f"{CAPTURE_NAME} is damaged (places: {past.damaged_places}): what it lacks is done again")
    recognized = [
        FileRecognized(file, origin)
        for number, file in enumerate(files.ids)
        if file in done and planned[file].was_read and (origin := files[number].origin)
    ]
    plan = ResumePlan(
        files.pick(array("I", (number for number, file in enumerate(files.ids) if file not in done))),
        made,
        len(kept),
        (*past.running_workers.values(), *reopened, *recognized),
        tuple(notes),
        past.last_epoch,
        past.last_worker_epoch,
    )
    return plan, lambda: _clear_results(past, kept, redone, placements, store)


def _recognize(
    past: PastRun,
    inputs: InputFiles,
    store: ResultStore,
    warn: Callable[[str], object],
) -> list[Known | None]:
    """Return which planned file each input is. A renamed one counts only while its results are there."""
    contents = {file: event.input_digest for file, event in past.committed.items() if event.input_digest}
    is_reading = False

    def read_digest(path: Path) -> str:
        nonlocal is_reading
        if not is_reading:
            warn("some inputs were moved, copied or touched: comparing their contents with those that are done")
            is_reading = True
        try:
            return content_digest(path)
        except OSError:
            return ""

    def has_results(file: str) -> bool:
        placement = past.results.of_commit(file, past.committed[file].results)
        return placement is not None and store.is_intact(placement, past.manifest_of(file))

    known = recognize(past.planned, past.read_plan, contents, inputs, read_digest)
    return [None if each and each.is_renamed and not has_results(each.id) else each for each in known]


def _refuse_to_redo(store: ResultStore, redone: Sequence[FileReopened], kept: int) -> None:
    """Raise UserError where inputs seem to have changed, and more files would be done again than are kept."""
    changed = [event for event in redone if event.reason == CHANGED]
    if changed and len(redone) > kept:
        raise UserError(
            f"{store.folder.parent}: {len(redone)} of the {len(redone) + kept} files that are done would be done "
            f"again ({changed[0].file}: {CHANGED}); if these are the right inputs, add --redo"
        )


def _committed_results(past: PastRun, files: InputFiles, store: ResultStore) -> dict[str, Placement]:
    """Return which results each of `files` that is committed has, by id; without those that are not found."""
    unnamed = UnnamedResults(store)
    found = {}
    for number, file in enumerate(files.ids):
        if (event := past.committed.get(file)) is not None:
            placement = past.results.of_commit(file, event.results)
            if placement is None:
                placement = unnamed.find(files[number], past.manifest_of(file))
            if placement is not None:
                found[file] = placement
    return found


def _clear_results(
    past: PastRun,
    kept: Iterable[str],
    redone: Iterable[str],
    placements: Mapping[str, Placement],
    store: ResultStore,
) -> None:
    """Remove results that do not count, and let the next commits of the `redone` files replace theirs.

    `kept` are the committed files that are not done again.
    """
    for file in past.results.never_committed():
        store.remove(past.results.paths(file))
    for file in kept:
        # The launcher was killed between a commit and this.
        store.remove(past.results.replaced(file))
    store.replace_later(
        {file: past.results.paths(file).union(placements.get(file, NO_RESULTS).paths()) for file in redone}
    )


def _reason(past: PastRun, file: str, end: SettledFile, given: Set[str], planned: Mapping[str, Known]) -> str:
    """Return why a settled file is not done."""
    if not end.completed:
        return FAILED
    if file not in given:
        return NO_LONGER_INPUT
    if file not in past.committed:
        return NOT_COMMITTED
    return DAMAGED if planned[file].is_unchanged else CHANGED
