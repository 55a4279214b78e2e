"""The subcommand `run`: its options. What it does is in `planned_run.py`."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import click

from virnucpro_bus.cli.options import (
    PathArgument,
    SecondsArgument,
    display_options,
    hook_options,
    http_options,
    interval_option,
    listen_option,
    log_rotate_option,
)
from virnucpro_bus.system.memory import all_stays_in_use
from virnucpro_bus.system.signals import ending_quietly
from workers.cli.run_options import (
    LOCAL,
    complete_jobs,
    engine_options,
    halt_options,
    input_options,
    shard_option,
)
from workers.desk.limits import DEFAULT_HANG_SECONDS, MAX_DEVICES
from workers.launch.interruption import DEFAULT_GRACE_SECONDS
from workers.pool.zygote import Zygote
from workers.schedule.blame import DEFAULT_RETRIES
from workers.schedule.policy_registry import DASK_POLICY, DEFAULT_POLICY, POLICIES

SECONDS = SecondsArgument(0.1, 1e9)


@click.command
@click.argument("inputs", nargs=-1, type=PathArgument(path_type=Path), metavar="[INPUT]...")
@click.option("--out", "run_dir", required=True, type=PathArgument(file_okay=False, path_type=Path), metavar="DIR",
              help="Folder for results, capture, metrics log and summary; created if missing.")  # fmt: skip
@input_options
@click.option("--job", default="sixframe", show_default=True, metavar="JOB",
              shell_complete=complete_jobs,
              help="The job for each file: a name (virnucpro-bus jobs lists them), MODULE:ATTR (your function or "
              'class), or "shell:CMD {input} {output:.tsv}", which bash runs with -euo pipefail (see '
              "above).")  # fmt: skip
@click.option(
    "--job-option",
    "job_options",
    multiple=True,
    metavar="KEY=VALUE",
    help="An option passed to the job; may be repeated. virnucpro-bus jobs NAME lists those of a job with a name.",
)
@click.option("--devices", default="auto", show_default=True, metavar="SPEC",
              help="Devices to use: auto (all GPUs, else all CPU cores), cpu:N, cuda:0,1 (indices of nvidia-smi), "
              "or GPU UUIDs. A plus sign joins the GPUs of one worker: cuda:0+1,2+3.")  # fmt: skip
@click.option("--workers-per-device", default=1, show_default=True, metavar="N",
              type=click.IntRange(1, MAX_DEVICES),
              help="Workers that share each GPU, or the GPUs that a plus sign joins; each is a device of the run, "
              "with its own process and queue.")  # fmt: skip
@click.option("--fake-gpus", type=click.IntRange(1, MAX_DEVICES), metavar="N",
              help="Use N simulated GPUs, for a demonstration; the job runs on the CPU.")  # fmt: skip
@engine_options
@click.option("--policy", default=DEFAULT_POLICY, show_default=True, type=click.Choice([*POLICIES, DASK_POLICY]),
              help="When an idle device steals a file from another's queue: never (off), when a queue is long "
              "(threshold), or when that ends the run sooner at measured speeds (cost). dask: Dask's own "
              "scheduler decides (only with --engine dask).")  # fmt: skip
@click.option("--steal-interval", "steal_interval_seconds", default=0.0, show_default=True,
              type=SecondsArgument(0.0, 1e9), metavar="SECONDS",
              help="Seconds from one steal of a device to its next, with the policy threshold.")  # fmt: skip
@click.option("--weights", default="auto", show_default=True, metavar="SPEC",
              help="Shares of the devices in the first assignment: auto (by GPU name), off (equal), "
              "or 1.0,1.5,...")  # fmt: skip
@shard_option
@interval_option
@display_options
@click.option("--dashboard/--no-dashboard", default=True, show_default=True,
              help="Show the run live in the terminal.")  # fmt: skip
@listen_option
@http_options
@hook_options
@click.option("--log-file", default="gpu_metrics.log", show_default=True, metavar="NAME",
              help="Metrics log (CSV). A name without a path is in the output folder.")  # fmt: skip
@log_rotate_option
@click.option("--retries", default=DEFAULT_RETRIES, show_default=True, type=click.IntRange(0, 100), metavar="N",
              help="How often a failed file is tried again.")  # fmt: skip
@halt_options
@click.option("--file-timeout", "file_seconds", type=SECONDS, metavar="SECONDS",
              help="Seconds after which an attempt at a file fails.  [default: no limit]")  # fmt: skip
@click.option("--hang-timeout", "hang_seconds", default=DEFAULT_HANG_SECONDS, show_default=True, type=SECONDS,
              metavar="SECONDS", help="Seconds without a sign of life after which a worker is ended and its file "
              "assigned again; ten times as long while it loads the job.")  # fmt: skip
@click.option("--grace", "grace_seconds", default=DEFAULT_GRACE_SECONDS, show_default=True, type=SECONDS,
              metavar="SECONDS",
              help="Seconds for the files in progress to finish after SIGTERM, SIGHUP, SIGUSR1, SIGUSR2 or "
              "SIGXCPU.")  # fmt: skip
@click.option("--report", is_flag=True,
              help="At the end, write DIR/report.html: what happened, as a page for people.")  # fmt: skip
@click.option("--resume", is_flag=True,
              help="Continue the run in DIR: keep what is done, process what remains.")  # fmt: skip
@click.option("--redo", is_flag=True,
              help="With --resume: continue even if, for changed inputs, more files run again than "
              "are kept.")  # fmt: skip
@click.option("--force", is_flag=True, help="Remove the run in DIR with its results, and start over.")
def run(engine: str, **options: Any) -> int:
    """Run a job over every INPUT, with one worker process for each device.

    INPUT is a sequence file, or a folder of them; - reads a list of paths from standard input.

    DIR gets results/, run.vbus (the capture, for replay), gpu_metrics.log (CSV) and, at the end, summary.json. A
    resumed run removes the summary and the report of before.

    A shell: command gets {input}, the file's path; {output:.tsv}, a result of the input's stem and this ending, or
    {output}, of the input's name; {outdir}, the folder for results; {stem}; {device}. They need no quotes. For the
    braces of awk, write {{ and }}. What jobs print is in DIR/logs: virnucpro-bus logs DIR.

    In a terminal: ? lists the keys, which show a device, the files, the logs, and the effect of stealing. Ctrl-C
    finishes the files in progress, a second one stops at once.

    \b
    Examples:
      virnucpro-bus run samples/ --out first-run
      virnucpro-bus run labs/ --recursive --out run1 --dry-run
      find labs -name '*.fa' -size +1k | virnucpro-bus run - --out run1
      virnucpro-bus run *.fa.gz --out run2 --devices cuda:0,1 --job my_model:Classify --job-option batch=64
      virnucpro-bus run samples/ --out run3 --job "shell:seqkit stats -T {input} > {output:.tsv}"
      virnucpro-bus run samples/ --out run4 --engine dask --scheduler tcp://node1:8786
      virnucpro-bus run samples/ --out run5/0 --shard 0/4

    \b
    Exit status: 0 done, 1 internal error, 2 usage, permission, or what fails every file, 3 some files failed,
    128 + N ended by signal N.
    """
    with Zygote() as zygote:
        if engine == LOCAL and not options["dry_run"]:
            with suppress(OSError):  # tried again for the first worker, and reported then
                zygote.start()
        # Not before: while this is imported, and the run is prepared, the zygote loads what a worker needs.
        with ending_quietly(), all_stays_in_use():
            from workers.cli.planned_run import plan_and_run

        return plan_and_run(zygote, engine=engine, **options)
