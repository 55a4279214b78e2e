"""summary.json: the fold of the run, as `replay --once --json` prints it, and what only the launcher knows.

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
    from virnucpro_bus.timeline.ended_run import EndedRun


def remove_summary(run_dir: Path) -> None:
    """Remove the summary of an earlier session, which a new one makes untrue even if it is killed."""
    with suppress(OSError):
        (run_dir / SUMMARY_NAME).unlink()


def sum_up(
    plan: RunPlan,
    ended: EndedRun | None,
    report: Callable[[str], object],
    *,
    exit_code: int,
    files_done_before: int,
) -> dict[str, Any]:
    """Write summary.json, and return its content; `report` gets what goes wrong, for the user.

    `ended` None: there was no time to fold the whole run. Then nothing is written, and the content is empty.
    """
    path = plan.run_dir / SUMMARY_NAME
    if ended is None:
        remove_summary(plan.run_dir)
        report(f"{SUMMARY_NAME} is not written; to print it: virnucpro-bus replay {plan.run_dir} --once --json")
        return {}
    summary = _summarize(plan, ended)
    summary |= {"exit_code": exit_code, "files_done_before": files_done_before}
    try:
        with Disk().replace_atomically(path, durable=False) as file:
            file.write(f"{json.dumps(summary, indent=2)}\n".encode())
    except OSError as error:
        report(f"{path}: cannot be written: {error.strerror}")
    return summary


def _summarize(plan: RunPlan, ended: EndedRun) -> dict[str, Any]:
    """Return what the fold and the plan say of the run."""
    fleet = ended.fleet
    return {
        **fleet.report(),
        "files": ended.files,
        "elapsed_seconds": fleet.elapsed_seconds(),
        "job": plan.job,
        "policy": plan.policy,
        "weights": list(plan.weights),
        "failures": fleet.failures(),
        "attempts": fleet.attempts(),
    }
