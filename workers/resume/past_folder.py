"""Opening the folder of an earlier run: to go on with the run in it, or to remove that with all its files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import blake2b
from pathlib import Path

from virnucpro_bus.errors import CaptureError, UserError
from virnucpro_bus.events.run_events import Shard
from virnucpro_bus.files.disk import Disk
from virnucpro_bus.logs.find import find_logs
from virnucpro_bus.run_folder import ATTEMPTS_NAME, CAPTURE_NAME, FOLD_NAME, RESULTS_NAME, SUMMARY_NAME
from virnucpro_bus.text import visible
from workers.commit.result_store import ResultStore
from workers.resume.journal import PastRun, holds_run, read_past_run
from workers.resume.log_path import own_logs
from workers.schedule.shard import name_of


def settings_of(job: str, options: Mapping[str, str]) -> str:
    """Return a digest of what determines the results besides the inputs: the job and its options."""
    return blake2b(json.dumps([job, sorted(options.items())]).encode(), digest_size=16).hexdigest()


def open_past_run(
    run_dir: Path, settings: str, log_file: Path, *, shard: Shard | None = None, resume: bool, force: bool
) -> PastRun | None:
    """Return the run in the folder, to be resumed; None: a new run begins. The caller holds the folder's lock.

    What a start that failed has left is not a run, and is removed.
    `force`: remove the run in the folder first, with all its files. Raises UserError when the folder holds a run
    and neither `resume` nor `force` is set, and when `settings` are not those of the run to resume, or `shard` is
    another part of the inputs.
    """
    capture = run_dir / CAPTURE_NAME
    past = examine_past_run(run_dir, settings, shard=shard, resume=resume, force=force)
    if past is None and capture.exists():
        if holds_run(capture):
            _remove_run(run_dir, log_file)
        else:
            _remove(capture)
    return past


def examine_past_run(
    run_dir: Path, settings: str, *, shard: Shard | None = None, resume: bool, force: bool
) -> PastRun | None:
    """Return what `open_past_run` does, and raise what it raises, but remove nothing."""
    capture = run_dir / CAPTURE_NAME
    if not capture.exists() or force or not holds_run(capture):
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
    if past.started is not None and (name := name_of(past.started.shard)) != name_of(shard):
        held, option = (f"shard {name}", f"give --shard {name}") if name else ("all inputs", "leave out --shard")
        raise UserError(f"{run_dir}: holds a run of {held}; {option}, or choose another folder")
    return past


def _remove_run(run_dir: Path, log_file: Path) -> None:
    """Remove the run in the folder. Raises UserError for a file that cannot be removed."""
    capture, results = run_dir / CAPTURE_NAME, run_dir / RESULTS_NAME
    others = [*(run_dir / name for name in (ATTEMPTS_NAME, SUMMARY_NAME, FOLD_NAME)), *own_logs(run_dir, log_file)]
    others += [log.path for log in find_logs(run_dir, lambda attempt: attempt is not None)]
    if (paths := _result_paths(capture)) is None:
        others.append(results)
    else:
        store = ResultStore(run_dir)
        store.remove(paths)
        store.remove_if_empty()
    # The capture last: as long as it exists, the other files are known to be the run's.
    for path in (*others, capture):
        _remove(path)


def _remove(path: Path) -> None:
    try:
        Disk().remove(path)
    except OSError as error:
        raise UserError(f"{path}: cannot be removed: {error.strerror}") from None


def _result_paths(capture: Path) -> set[str] | None:
    """Return the paths of all results of a run in the results folder; None: the journal does not hold them."""
    try:
        past = read_past_run(capture)
    except CaptureError:
        return None
    if any(past.results.of_commit(file, event.results) is None for file, event in past.committed.items()):
        return None
    return past.results.all_paths()
