"""Going on with a run that was broken off: what is done, what is to be done, and what viewers have to be told.

Done is a file that the journal says was committed, whose input is the same as then, and whose results are in place
and have the digest that they had. Everything else is done from the beginning: leases and attempts of before are
void, files that had failed are tried again, and results in place that are not known to be whole are taken away.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

from virnucpro_bus.errors import UserError
from virnucpro_bus.events.vocabulary import Fact, FileReopened
from virnucpro_bus.run_folder import CAPTURE_NAME, SUMMARY_NAME
from virnucpro_bus.system.disk import Disk
from virnucpro_bus.text import visible
from workers.commit.result_store import ATTEMPTS_NAME, RESULTS_NAME, ResultStore
from workers.inputs import InputFile
from workers.resume.journal import PastRun, read_past
from workers.resume.log_path import own_logs

CHANGED = "the input has changed since"
DAMAGED = "its results are not there as they were"
NOT_COMMITTED = "its results had not been brought to the disk yet"
NOT_GIVEN = "it is not among the inputs any more"
FAILED = "it had failed and is tried again"


@dataclass(frozen=True)
class ResumePlan:
    """How a run goes on. The defaults are those of a run that begins."""

    remaining: tuple[InputFile, ...]
    done: int = 0
    """Files of the run that are done already."""
    events: tuple[Fact, ...] = ()
    """What is to be published once the run has been announced: the end of workers, files that wait again."""
    notes: tuple[str, ...] = ()
    """What the user should know, a line each."""
    last_epoch: int = 0
    """The latest epoch that a coordinator of the run has had …"""
    last_worker_epoch: int = 0
    """… and any of its workers."""


def settings_of(job: str, options: Mapping[str, str]) -> str:
    """A digest of what makes results what they are, apart from their inputs."""
    return blake2b(json.dumps([job, sorted(options.items())]).encode(), digest_size=16).hexdigest()


def open_past_run(run_dir: Path, settings: str, log_file: Path, *, go_on: bool, anew: bool) -> PastRun | None:
    """What the folder, whose lock is held, holds of a run to go on with; None when a new one is to begin.

    `anew`: everything of the run that it holds is removed first. Raises UserError when it holds one and neither is
    wanted, and when the run that it holds is another one.
    """
    capture = run_dir / CAPTURE_NAME
    if not capture.exists():
        return None
    if anew:
        disk = Disk()
        # The capture last: as long as it is there, the rest is known to be ours.
        folders = (run_dir / RESULTS_NAME, run_dir / ATTEMPTS_NAME)
        for path in (*folders, run_dir / SUMMARY_NAME, *own_logs(run_dir, log_file), capture):
            try:
                disk.remove(path)
            except OSError as error:
                raise UserError(f"{path}: cannot be removed: {error.strerror}") from None
        return None
    if not go_on:
        raise UserError(
            f"{run_dir}: already holds a run ({CAPTURE_NAME}); choose another folder, or give the same command "
            "with --resume to go on with it, or with --force to remove it and begin anew"
        )
    past = read_past(capture)
    if past.started is not None and past.started.settings != settings:
        raise UserError(
            f"{run_dir}: holds a run of another job or with other job options (job {visible(past.started.job)}); "
            "give the same ones, or choose another folder"
        )
    return past


def resume(past: PastRun, files: Sequence[InputFile], store: ResultStore) -> ResumePlan:
    """Compare what the journal says with what is there; takes results away that are not known to be whole."""
    done = _done(past, files, store)
    remaining = tuple(file for file in files if file.id not in done)
    store.withdraw(remaining)
    given = {file.id: file for file in files}
    reopened = []
    for file, how in past.ended.items():
        if file in done or (file not in given and file in past.committed):
            continue
        reason = FAILED if not how.completed else _why(past, given.get(file), file)
        reopened.append(FileReopened(file, how.device, how.completed, how.sequences, reason))
    kept = sum(1 for file in past.committed if file in done or file not in given)
    notes = [f"{event.file}: {event.reason}: it is done again" for event in reopened if event.completed]
    events = (*past.living.values(), *reopened)
    return ResumePlan(remaining, kept, events, tuple(notes), past.last_epoch, past.last_worker_epoch)


def _done(past: PastRun, files: Sequence[InputFile], store: ResultStore) -> set[str]:
    """The ids of those of `files` that need not be done again."""
    same = [file for file in files if file.id in past.committed and past.identities.get(file.id) == file.identity]
    whole = store.are_intact([(file, past.contents(file.id)) for file in same])
    return {file.id for file, is_whole in zip(same, whole, strict=True) if is_whole}


def _why(past: PastRun, given: InputFile | None, file: str) -> str:
    """Why a file that was completed is not done."""
    if given is None:
        return NOT_GIVEN
    if file not in past.committed:
        return NOT_COMMITTED
    return CHANGED if past.identities.get(file) != given.identity else DAMAGED
