"""summary.json: the fold of the capture, as `replay --once --json` prints it, and what only the launcher knows.

The figures of files are by single samples, as `export` has them.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from virnucpro_bus.files.disk import Disk
from virnucpro_bus.run_folder import SUMMARY_NAME
from workers.launch.run_plan import RunPlan

if TYPE_CHECKING:
    from virnucpro_bus.sources.recording import Recording


def remove_summary(run_dir: Path) -> None:
    """Remove the summary of an earlier session, which a new one makes untrue even if it is killed."""
    with suppress(OSError):
        (run_dir / SUMMARY_NAME).unlink()


def sum_up(
    plan: RunPlan,
    recording: Recording,
    report: Callable[[str], object],
    *,
    exit_code: int,
    files_done_before: int,
) -> dict[str, Any]:
    """Write summary.json, and return its content; `report` gets what goes wrong, for the user.

    Empty if there was no time to read the whole capture.
    """
    path = plan.run_dir / SUMMARY_NAME
    if not recording.is_whole:
        remove_summary(plan.run_dir)
        report(f"{SUMMARY_NAME} is not written; to print it: virnucpro-bus replay {plan.run_dir} --once --json")
        return {}
    summary = _summarize(plan, recording)
    summary |= {"exit_code": exit_code, "files_done_before": files_done_before}
    try:
        with Disk().replace_atomically(path, durable=False) as file:
            file.write(f"{json.dumps(summary, indent=2)}\n".encode())
    except OSError as error:
        report(f"{path}: cannot be written: {error.strerror}")
    return summary


def _summarize(plan: RunPlan, recording: Recording) -> dict[str, Any]:
    """Return what the capture and the plan say of the run."""
    # Only now: the first file would wait for it otherwise.
    from virnucpro_bus.timeline.attempt_figures import exact_files

    fleet = recording.fleet
    return {
        **fleet.report(),
        "files": exact_files(recording.timeline, fleet.files()),
        "elapsed_seconds": fleet.elapsed_seconds(),
        "job": plan.job,
        "policy": plan.policy,
        "weights": list(plan.weights),
        "failures": fleet.failures(),
        "attempts": fleet.attempts(),
    }
