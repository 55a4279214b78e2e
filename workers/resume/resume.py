"""Resuming an interrupted run: which files are done, which remain, and which events bring viewers up to date.

A file is done if the journal records its commit, its input has not changed since, and its results are in place
with the digest that was recorded. All other files start over: earlier leases and attempts are void, and failed
files are tried again. Results of a file that is done again stay in place until its next commit replaces them.
Results that were never committed are removed, as far as the journal names them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

from virnucpro_bus.errors import UserError
from virnucpro_bus.events.vocabulary import Fact, FileReopened
from virnucpro_bus.run_folder import CAPTURE_NAME, SUMMARY_NAME
from virnucpro_bus.system.disk import Disk
from virnucpro_bus.text import visible
from workers.commit.placement import NO_RESULTS, Placement
from workers.commit.result_store import ATTEMPTS_NAME, RESULTS_NAME, ResultStore
from workers.inputs.input_file import InputFile
from workers.resume.journal import PastRun, read_past_run
from workers.resume.log_path import own_logs
from workers.resume.unnamed_results import UnnamedResults

# Reasons why a settled file is not done, as viewers show them.
CHANGED = "the input has changed"
DAMAGED = "its results are missing or have changed"
NOT_COMMITTED = "its results were not committed"
NO_LONGER_INPUT = "it is no longer an input"
FAILED = "it had failed and is tried again"


@dataclass(frozen=True)
class ResumePlan:
    """What a session of a run starts with. The defaults are those of a new run."""

    remaining: tuple[InputFile, ...]
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


def settings_of(job: str, options: Mapping[str, str]) -> str:
    """Return a digest of what determines the results besides the inputs: the job and its options."""
    return blake2b(json.dumps([job, sorted(options.items())]).encode(), digest_size=16).hexdigest()


def open_past_run(run_dir: Path, settings: str, log_file: Path, *, resume: bool, force: bool) -> PastRun | None:
    """Return the run in the folder, to be resumed; None: a new run begins. The caller holds the folder's lock.

    `force`: remove the run in the folder first, with all its files. Raises UserError when the folder holds a run
    and neither `resume` nor `force` is set, and when `settings` are not those of the run to resume.
    """
    capture = run_dir / CAPTURE_NAME
    if not capture.exists():
        return None
    if force:
        disk = Disk()
        others = (run_dir / name for name in (RESULTS_NAME, ATTEMPTS_NAME, SUMMARY_NAME))
        # The capture last: as long as it exists, the other files are known to be the run's.
        for path in (*others, *own_logs(run_dir, log_file), capture):
            try:
                disk.remove(path)
            except OSError as error:
                raise UserError(f"{path}: cannot be removed: {error.strerror}") from None
        return None
    if not resume:
        raise UserError(
            f"{run_dir}: already holds a run ({CAPTURE_NAME}); choose another folder, or give the same command "
            "with --resume to continue it, or with --force to remove it and start over"
        )
    past = read_past_run(capture)
    if past.started is not None and past.started.settings != settings:
        raise UserError(
            f"{run_dir}: holds a run of another job or with other job options (job {visible(past.started.job)}); "
            "give the same job and options, or choose another folder"
        )
    return past


def plan_resume(past: PastRun, files: Sequence[InputFile], store: ResultStore) -> ResumePlan:
    """Compare the journal with inputs and results, and remove the results that were never committed."""
    placements = _committed_results(past, files, store)
    done = _done(past, files, placements, store)
    remaining = tuple(file for file in files if file.id not in done)
    inputs = {file.id: file for file in files}
    _clear_results(past, {file.id for file in remaining}, placements, store)
    reopened = []
    for file, end in past.settled.items():
        if file in done or (file not in inputs and file in past.committed):
            continue
        reason = FAILED if not end.completed else _reason(past, file, inputs.get(file))
        reopened.append(FileReopened(file, end.device, end.completed, end.sequences, reason))
    kept = sum(1 for file in past.committed if file in done or file not in inputs)
    notes = [f"{event.file}: is done again: {event.reason}" for event in reopened if event.completed]
    events = (*past.running_workers.values(), *reopened)
    return ResumePlan(remaining, kept, events, tuple(notes), past.last_epoch, past.last_worker_epoch)


def _committed_results(past: PastRun, files: Sequence[InputFile], store: ResultStore) -> dict[str, Placement]:
    """Return which results each of `files` that is committed has, by id; without those that are not found."""
    unnamed = UnnamedResults(store)
    found = {}
    for file in files:
        if (event := past.committed.get(file.id)) is not None:
            placement = past.results.of_commit(file.id, event.results)
            if placement is None:
                placement = unnamed.find(file, past.manifest_of(file.id))
            if placement is not None:
                found[file.id] = placement
    return found


def _done(
    past: PastRun, files: Sequence[InputFile], placements: Mapping[str, Placement], store: ResultStore
) -> set[str]:
    """Return the ids of those of `files` that are done."""
    return {
        file.id
        for file in files
        if file.id in placements
        and past.identities.get(file.id) == file.identity
        and store.is_intact(placements[file.id], past.manifest_of(file.id))
    }


def _clear_results(
    past: PastRun, remaining: Set[str], placements: Mapping[str, Placement], store: ResultStore
) -> None:
    """Remove results that do not count, and let the next commits of the `remaining` files replace theirs."""
    for file in past.results.never_committed():
        store.remove(past.results.paths(file))
    for file in past.committed.keys() - remaining:
        # The launcher was killed between a commit and this.
        store.remove(past.results.replaced(file))
    store.replace_later(
        {file: past.results.paths(file).union(placements.get(file, NO_RESULTS).paths()) for file in remaining}
    )


def _reason(past: PastRun, file: str, found: InputFile | None) -> str:
    """Return why a completed file is not done. `found` is the present input with this id, if any."""
    if found is None:
        return NO_LONGER_INPUT
    if file not in past.committed:
        return NOT_COMMITTED
    return CHANGED if past.identities.get(file) != found.identity else DAMAGED
