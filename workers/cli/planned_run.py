"""What the subcommand `run` does: makes the plan of a run from its options, runs it, and prints how it ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

import click

from virnucpro_bus.cli.options import check_listen, http_listen
from virnucpro_bus.clock import SystemClock
from virnucpro_bus.errors import UserError
from virnucpro_bus.events.vocabulary import Device
from virnucpro_bus.system.console import say
from virnucpro_bus.system.memory import all_stays_in_use
from virnucpro_bus.system.signals import ending_quietly
from workers.cli.input_arguments import input_arguments, left_out_lines
from workers.cli.run_options import DASK
from workers.cli.share import has_work, take_share
from workers.cli.workforce import choose_workforce, known_devices
from workers.desk.halt import Halt, choose_halt
from workers.desk.limits import Limits
from workers.inputs.find import find_inputs
from workers.jobs.checked_job import check_job
from workers.jobs.named_job import merged_names
from workers.launch.estimates import apply_job_estimates
from workers.pool.zygote import Zygote
from workers.resume.log_path import choose_log_path
from workers.schedule.plan import weights_for
from workers.schedule.policy_registry import DASK_POLICY
from workers.schedule.shard import ShardName


def plan_and_run(
    zygote: Zygote,
    *,
    inputs: Sequence[Path],
    files_from: Path | None,
    null: bool,
    recursive: bool,
    patterns: Sequence[str],
    dry_run: bool,
    as_json: bool,
    run_dir: Path,
    job: str,
    job_options: Sequence[str],
    devices: str,
    workers_per_device: int,
    fake_gpus: int | None,
    engine: str,
    scheduler: str | None,
    scheduler_file: Path | None,
    cluster: str | None,
    policy: str,
    steal_interval_seconds: float,
    weights: str,
    shard: ShardName | None,
    interval_seconds: float,
    display: Sequence[str],
    dashboard: bool,
    log_file: str,
    log_rotate_bytes: int | None,
    listen: str | None,
    http: str | None,
    http_token_file: Path | None,
    hooks: Mapping[str, Sequence[str]],
    retries: int,
    halt: Halt | None,
    max_failures: int | None,
    file_seconds: float | None,
    hang_seconds: float,
    grace_seconds: float,
    report: bool,
    resume: bool,
    redo: bool,
    force: bool,
) -> int:
    """Run what the options of `run` say, in a folder of its own; return the exit status. Raises UserError.

    `zygote` is closed by the caller.
    """
    if resume and force:
        raise UserError("--resume continues a run and --force removes it: give one of them")
    if redo and not resume:
        raise UserError("--redo is about what --resume continues: add --resume")
    if fake_gpus is not None and devices != "auto":
        raise click.UsageError("--fake-gpus replaces --devices: give one of them")
    if as_json and not dry_run:
        raise UserError("--json prints what --dry-run shows: add --dry-run, or use virnucpro-bus monitor --json")
    if policy == DASK_POLICY and engine != DASK:
        raise UserError("--policy dask: Dask's own scheduler decides: add --engine dask, or choose another policy")
    halt = choose_halt(halt, max_failures)
    arguments = input_arguments(inputs, files_from, null=null)
    log_path = choose_log_path(run_dir, log_file)
    options = _parse_options(job_options)
    check_listen(listen)
    page = http_listen(http, http_token_file)
    checked = check_job(job, options)
    found = find_inputs(
        arguments,
        reads=checked.reads,
        patterns=patterns,
        recursive=recursive,
        run_dir=run_dir,
        reserved=merged_names(checked.merge),
        in_any_order=shard is not None,
    )
    if not dry_run:
        for line in left_out_lines(found):
            say(line)
    files, problem = apply_job_estimates(checked, found.files)
    share = take_share(files, shard, problem)
    named_cluster = (scheduler, scheduler_file, cluster)
    if dry_run:
        from workers.cli.dry_run import show_preview
        from workers.preview.preview import RunRequest

        chosen = known_devices(engine, named_cluster, devices, workers_per_device, fake_gpus)
        device_weights = () if chosen is None else _weights(weights, chosen)
        show_preview(
            RunRequest(
                run_dir=run_dir,
                job=checked,
                found=found,
                share=share,
                devices=chosen,
                weights=device_weights,
                policy=policy,
                steal_interval_seconds=steal_interval_seconds,
                has_estimates=files is not found.files,
                resume=resume,
                redo=redo,
                force=force,
            ),
            as_json=as_json,
        )
        return 0
    if not has_work(share, run_dir):
        return 0
    with (
        ExitStack() as ending,
        choose_workforce(
            zygote, engine, named_cluster, devices, workers_per_device, fake_gpus, run_dir, found.files
        ) as workforce,
    ):
        # Not before: what is wrong with the options is told at once.
        with ending_quietly(), all_stays_in_use():
            from workers.cli.run_end import print_end
            from workers.launch.launcher import EXIT_UNABLE, Launcher
            from workers.launch.run_plan import RunPlan

        device_weights = _weights(weights, workforce.devices)
        plan = RunPlan(
            files=share.files,
            shard=share.shard,
            other_files=share.others,
            devices=workforce.devices,
            make_executor=workforce.make_executor,
            samples_here=workforce.is_here,
            weights=device_weights,
            run_dir=run_dir,
            job=job,
            options=options,
            target=checked.target,
            policy=policy,
            steal_interval_seconds=steal_interval_seconds,
            interval_seconds=interval_seconds,
            display=display,
            hooks=hooks,
            dashboard=dashboard,
            log_file=log_path,
            log_rotate_bytes=log_rotate_bytes,
            listen=listen,
            http=page,
            retries=retries,
            halt=halt,
            limits=Limits(hang_seconds, file_seconds),
            grace_seconds=grace_seconds,
            report=report,
            merge=checked.merge,
            resume=resume,
            redo=redo,
            force=force,
        )
        launcher, status = Launcher(plan, SystemClock()), EXIT_UNABLE
        # Last of all, whatever ends the run.
        ending.callback(lambda: launcher.finish_hooks(status))
        status = launcher.run()
        if launcher.summary:
            ending.callback(print_end, plan, launcher.summary)
    return status


def _weights(spec: str, devices: Sequence[Device]) -> Sequence[float]:
    """Return the weights of the devices, and print what is doubtful about them. Raises UserError."""
    weights, warnings = weights_for(spec, [device.name for device in devices])
    for warning in warnings:
        say(warning)
    return weights


def _parse_options(pairs: Sequence[str]) -> dict[str, str]:
    options = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not key or not equals:
            raise UserError(f"--job-option {pair!r}: write KEY=VALUE")
        options[key] = value
    return options
