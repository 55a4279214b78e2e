"""What `run` prints at its end: what was done, what failed, where everything is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from virnucpro_bus.effect_text import count_steals, sentence
from virnucpro_bus.logs.find import find_logs, log_hint
from virnucpro_bus.run_folder import LOG_FOLDER, REPORT_NAME, RESULTS_NAME, SUMMARY_NAME
from virnucpro_bus.run_reports import STOPPED, state_at_end
from virnucpro_bus.system.console import say
from virnucpro_bus.system.standard_streams import abandon_output
from virnucpro_bus.text import visible
from virnucpro_bus.units import duration
from workers.desk.failure_kind import group_by_kind
from workers.launch.run_plan import RunPlan

MAX_FAILURES_SHOWN = 10
NOTABLE_LOADING_SECONDS = 1.0
"""The longest loading of a device is named from this on."""


def print_end(plan: RunPlan, summary: Mapping[str, Any]) -> None:
    """Print the end of the run in a few lines, to standard output as far as that can be written."""
    try:
        _print_summary(plan, summary)
    except BrokenPipeError:
        abandon_output()
    except OSError as error:
        # A full disk, or a terminal that has closed. The exit status is that of the run.
        abandon_output()
        say(f"the output cannot be written: {error.strerror}")


def _print_failures(plan: RunPlan, failures: Mapping[str, str]) -> None:
    """Print a line for each failed file, or, if they are many, for each kind of failure."""
    groups = [[file] for file in failures]
    if len(groups) > MAX_FAILURES_SHOWN:
        groups = group_by_kind(failures.items())
    shown = {first: len(others) for first, *others in groups[:MAX_FAILURES_SHOWN]}
    # Of each file the log that was last written: that of its last attempt which has printed something.
    logs = find_logs(plan.run_dir, lambda name: name is not None and name.file in shown) if shown else []
    last = {log.attempt.file: log for log in logs if log.attempt is not None}
    for file, others in shown.items():
        alike = f", and {others} more alike" if others else ""
        say(f"failed: {file}{alike}: {failures[file]}{log_hint(last.get(file))}")
    if more := sum(map(len, groups[MAX_FAILURES_SHOWN:])):
        say(f"failed: {more} more files; see {SUMMARY_NAME}")


def _print_summary(plan: RunPlan, summary: Mapping[str, Any]) -> None:
    totals = summary["totals"]
    elapsed = summary["elapsed_seconds"] or 0.0
    before = summary["files_done_before"]
    loading = max(summary["effect"]["loading_seconds"].values(), default=0.0)
    told = f" ({duration(loading)} of it for loading)" if loading >= NOTABLE_LOADING_SECONDS else ""
    # No rate counts the time before the first file, or sequences of earlier sessions.
    working = summary["effect"]["makespan_seconds"]
    rate = f", {totals['sequences'] / working:.0f} a second" if working and not before else ""
    earlier = f" ({before} of them earlier)" if before else ""
    total = "n/a" if totals["files_total"] is None else totals["files_total"]
    click.echo(
        f"{totals['files_completed']} of {total} files done{earlier} in {elapsed:.1f} s{told} on "
        f"{len(summary['devices'])} devices: {totals['sequences']} sequences{rate}; "
        f"{count_steals(totals['steals'])}, {totals['files_failed']} failed"
    )
    if effect := sentence(summary["effect"], totals["steals"]):
        click.echo(f"stealing: {effect}")
    if totals["events_lost"]:
        click.echo(f"{totals['events_lost']} of {totals['events_published']} events were lost")
    _print_failures(plan, summary["failures"])
    if state_at_end(summary["exit_code"]) == STOPPED and not plan.resume:
        say("the run was interrupted; to continue it, give the same command with --resume")
    for label, path in (
        ("results", plan.run_dir / RESULTS_NAME),
        ("merged", plan.run_dir / RESULTS_NAME / plan.merge.name if plan.merge else None),
        ("capture", plan.run_dir / "run.vbus"),
        ("log", plan.log_file),
        ("logs", plan.run_dir / LOG_FOLDER),
        ("summary", plan.run_dir / SUMMARY_NAME),
        ("report", plan.run_dir / REPORT_NAME if plan.report else None),
    ):
        if path is not None and path.exists():
            click.echo(f"  {label:<8} {visible(str(path))}")
