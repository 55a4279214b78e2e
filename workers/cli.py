"""The `run` subcommand."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from virnucpro_bus.clock import SystemClock
from virnucpro_bus.errors import UserError
from virnucpro_bus.options import interval_option
from virnucpro_bus.text import visible
from workers.assignment import weights_for
from workers.companion import say
from workers.discover import find_devices
from workers.inputs import find_inputs
from workers.jobs import check_job
from workers.launcher import SUMMARY_NAME, Launcher, RunPlan
from workers.policies import POLICIES


@click.command(short_help="Run a job over many files on all devices, with a live dashboard.")
@click.argument("inputs", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="INPUT...")
@click.option("--out", "run_dir", required=True, type=click.Path(file_okay=False, path_type=Path), metavar="DIR",
              help="Folder for results, capture, log and summary; made if it is missing.")  # fmt: skip
@click.option("--job", default="sixframe", show_default=True, metavar="JOB",
              help='sixframe, MODULE:ATTR, or "shell:CMD {input} {output}".')  # fmt: skip
@click.option(
    "--job-option", "job_options", multiple=True, metavar="KEY=VALUE", help="For the job; may be repeated."
)
@click.option("--devices", default="auto", show_default=True, metavar="SPEC",
              help="auto, cpu:N, cuda:0,1 (as nvidia-smi counts), or GPU UUIDs.")  # fmt: skip
@click.option("--policy", default="threshold", show_default=True, type=click.Choice(list(POLICIES)),
              help="When an idle device takes a file from another's queue.")  # fmt: skip
@click.option("--weights", default="auto", show_default=True, metavar="SPEC",
              help="Share of the first assignment: auto (by name), off, or 1.0,1.5,...")  # fmt: skip
@interval_option
@click.option("--dashboard/--no-dashboard", default=True, show_default=True, help="Show the run while it goes on.")
@click.option("--log-file", default="gpu_metrics.log", show_default=True, metavar="NAME",
              help="Metrics log (CSV), in the output folder unless a path is given.")  # fmt: skip
def run(
    inputs: Sequence[Path],
    run_dir: Path,
    job: str,
    job_options: Sequence[str],
    devices: str,
    policy: str,
    weights: str,
    interval_seconds: float,
    dashboard: bool,
    log_file: str,
) -> int:
    """Run a job over every INPUT (a sequence file, or a folder of them), one worker process a device.

    DIR gets results/, run.vbus (the capture, for replay), gpu_metrics.log (CSV) and summary.json.

    \b
    Examples:
      virnucpro-bus run samples/ --out first-run
      virnucpro-bus run *.fa.gz --out run2 --devices cuda:0,1 --job my_model:Classify --job-option batch=64
      virnucpro-bus run samples/ --out run3 --job "shell:seqkit stats {input} > {output}"

    \b
    Exit status: 0 done, 1 internal error, 2 usage or permission, 3 some files failed, 130/143 interrupted.
    """
    options = _parse_options(job_options)
    check_job(job, options)
    found = find_inputs(inputs)
    for path, same_as in found.aliases:
        say(f"{path} is the same file as {same_as}: taken once")
    chosen = find_devices(devices, os.environ)
    weight_figures, warnings = weights_for(weights, [device.name for device in chosen])
    for warning in warnings:
        say(warning)
    plan = RunPlan(
        files=found.files,
        devices=chosen,
        weights=weight_figures,
        run_dir=run_dir,
        job=job,
        options=options,
        policy=policy,
        interval_seconds=interval_seconds,
        dashboard=dashboard,
        log_file=run_dir / log_file,
    )
    launcher = Launcher(plan, SystemClock())
    status = launcher.run()
    _print_summary(plan, launcher.summary)
    return status


def _parse_options(pairs: Sequence[str]) -> dict[str, str]:
    options = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not key or not equals:
            raise UserError(f"--job-option {pair!r}: write KEY=VALUE")
        options[key] = value
    return options


def _print_summary(plan: RunPlan, summary: Mapping[str, Any]) -> None:
    """The end of the run in a few lines: what was done, what failed, where everything is."""
    totals = summary["totals"]
    elapsed = summary["elapsed_seconds"] or 0.0
    rate = f", {totals['sequences'] / elapsed:.0f} a second" if elapsed else ""
    click.echo(
        f"{totals['files_completed']} of {totals['files_total']} files done in {elapsed:.1f} s on "
        f"{len(summary['devices'])} devices: {totals['sequences']} sequences{rate}; "
        f"{totals['steals']} stolen, {totals['files_failed']} failed"
    )
    if totals["events_lost"]:
        click.echo(f"{totals['events_lost']} of {totals['events_published']} events were lost")
    failures = summary["failures"]
    for file, reason in list(failures.items())[:10]:
        say(f"failed: {file}: {reason}")
    if len(failures) > 10:
        say(f"failed: {len(failures) - 10} more files; see {SUMMARY_NAME}")
    for label, path in (
        ("results", plan.run_dir / "results"),
        ("capture", plan.run_dir / "run.vbus"),
        ("log", plan.log_file),
        ("summary", plan.run_dir / SUMMARY_NAME),
    ):
        if path.exists():
            click.echo(f"  {label:<8} {visible(str(path))}")
