"""The `jobs` subcommand: lists what `run --job` takes by name."""

from __future__ import annotations

import json
from collections.abc import Sequence

import click

from virnucpro_bus.plugins import OWN_PACKAGE
from virnucpro_bus.text import visible
from workers.cli.run_options import complete_jobs
from workers.jobs.job_info import JobInfo, OptionInfo, installed_jobs, job_info


@click.command
@click.argument("name", required=False, shell_complete=complete_jobs)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")
@click.pass_context
def jobs(context: click.Context, name: str | None, as_json: bool) -> None:
    """List the jobs that run --job takes by name: what they do, and which other package they come from.

    With NAME, show that job: its options, what it reads, and whether it can run here.

    \b
    Example:
      virnucpro-bus jobs sixframe
    """
    if name is None:
        found = installed_jobs()
        click.echo(json.dumps({"jobs": found}, indent=2) if as_json else _as_list(context, found))
    else:
        info = job_info(name)
        click.echo(json.dumps(info, indent=2) if as_json else _as_text(context, info))


def _as_list(context: click.Context, found: Sequence[JobInfo]) -> str:
    formatter = context.make_formatter()
    formatter.write_dl([(visible(info["name"]), visible(_in_a_line(info))) for info in found])
    return formatter.getvalue().rstrip("\n")


def _in_a_line(info: JobInfo) -> str:
    if info["summary"] is None:
        return info["problem"] or "unknown"
    origin = "" if info["package"] == OWN_PACKAGE else f" (of the package {info['package']})"
    missing = f"; needs what is not installed here: {', '.join(info['missing'])}" if info["missing"] else ""
    return info["summary"] + origin + missing


def _as_text(context: click.Context, info: JobInfo) -> str:
    required = "".join(f" --job-option {each['name']}=..." for each in info["options"] if each["required"])
    # Not broken into lines of the terminal's width: they contain commands to be copied.
    lines = (
        f"job        {info['name']}",
        f"does       {info['summary'] or 'unknown'}",
        f"reads      {_reads(info)}",
        f"of         {info['package']} {info['version']}",
        f"runs here  {'yes' if info['problem'] is None else 'no: ' + info['problem']}",
        f"usage      virnucpro-bus run INPUT... --out DIR --job {info['name']}{required}",
    )
    formatter = context.make_formatter()
    if info["options"]:
        with formatter.section("options, each after --job-option"):
            formatter.write_dl(
                [(f"{visible(each['name'])}=", visible(_of_option(each))) for each in info["options"]]
            )
    return "\n".join([*map(visible, lines), formatter.getvalue()]).rstrip("\n")


def _reads(info: JobInfo) -> str:
    """Return what a job reads, for people."""
    texts = {"nucleotides": "nucleotides, no proteins", "proteins": "proteins, no nucleotides"}
    if info["reads"] is None:
        return "depends on its options"
    return texts.get(info["reads"], "nucleotides and proteins")


def _of_option(option: OptionInfo) -> str:
    if option["required"]:
        return f"{option['help']} (required)"
    return option["help"] if option["default"] is None else f"{option['help']} (default: {option['default']})"
