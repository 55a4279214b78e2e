"""Reads the runs of a report: their captures, what their jobs have printed, and how they might have been."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain, islice
from pathlib import Path

from monitor.report.reported_run import ReportedRun
from virnucpro_bus.clock import Clock
from virnucpro_bus.errors import UserError
from virnucpro_bus.logs.find import find_logs, log_of
from virnucpro_bus.logs.lines import last_lines
from virnucpro_bus.run_folder import CAPTURE_NAME, capture_path
from virnucpro_bus.sources.recording import Recording, read_recording
from virnucpro_bus.text import visible
from virnucpro_bus.whatif import WhatIf, find_comparison

MAX_SIMULATED = 1_000
"""Files times devices of a run that is simulated for a report: more would take longer than all the rest."""
MAX_LOGS, LOG_LINES = 8, 10


def read_run(place: Path, name: str, clock: Clock) -> ReportedRun:
    """Read the capture in a file or a run folder. Raises CaptureError, and UserError when it contains no event."""
    path = capture_path(place)
    recording = read_recording(path, clock, gpus_in_fleet=False)
    if recording.is_empty:
        raise UserError(f"{visible(str(path))}: contains no events")
    run = ReportedRun(name, recording, compared(recording, place))
    if path.name != CAPTURE_NAME:
        return run
    return replace(run, logs=dict(_logs(path.parent, run)))


def compared(recording: Recording, place: Path) -> WhatIf | str:
    """The run under other policies and devices; or why that is not known, in a line."""
    totals, devices = recording.fleet.get_totals(), recording.fleet.get_gpu_metrics()
    if totals["files_completed"] * len(devices) > MAX_SIMULATED:
        command = f"virnucpro-bus whatif {shlex.quote(str(place))}"
        return f"The run is too large to be simulated here. To estimate its time under other policies: {command}"
    compare = find_comparison()
    if compare is None:
        return "The simulation is not installed."
    try:
        return compare(recording.fleet)
    except UserError as error:
        reason = str(error).removeprefix("the capture: ")
        return f"The run cannot be simulated under other policies: it {reason.partition(';')[0]}."


def _sources_in_trouble(run: ReportedRun) -> set[str]:
    """The workers on whose device an attempt did not complete its file, or a worker was lost."""
    devices = {(each.host, each.device) for each in run.unended_attempts}
    devices |= {(each.host, each.device) for each in run.timeline.losses}
    return {
        source
        for fold in run.recording.fleet.hosts()
        for source, _, stream in fold.streams()
        if (fold.host, stream.device_key) in devices
    }


def _logs(run_dir: Path, run: ReportedRun) -> Iterator[tuple[str, list[str]]]:
    """The last lines of what attempts have printed that did not complete their file, and workers in trouble.

    Files that failed for good come first.
    """
    failed = run.recording.fleet.failures()
    attempts = sorted(run.unended_attempts, key=lambda each: each.file not in failed)
    of_attempts = (log_of(run_dir, each.file, each.attempt) for each in attempts)
    sources = _sources_in_trouble(run)
    of_workers = (log for log in find_logs(run_dir, lambda name: name is None) if log.source in sources)
    for log in islice((log for log in chain(of_attempts, of_workers) if log is not None), MAX_LOGS):
        if lines := last_lines(log.path, LOG_LINES):
            yield log.shown, lines
