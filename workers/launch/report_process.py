"""The process that writes report.html when a run is over. The run does not depend on it."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from time import sleep

from virnucpro_bus.run_folder import REPORT_MARK, REPORT_NAME
from virnucpro_bus.system.child_process import self_command, stop

_POLL_SECONDS = 0.02
_MARK_BYTES = 1 << 12
"""The mark is in so many first bytes of a page."""


def remove_report(run_dir: Path) -> None:
    """Remove the report of an earlier session, which a new one makes untrue; another file of its name stays."""
    with suppress(OSError):
        if _is_report(run_dir / REPORT_NAME):
            (run_dir / REPORT_NAME).unlink()


def write_report(run_dir: Path, stopped: Callable[[], bool], report: Callable[[str], object]) -> None:
    """Write report.html into the folder of a run that is over; `report` gets what goes wrong, for the user.

    Nothing is written once `stopped`, which is called several times a second, has returned true.
    """
    path = run_dir / REPORT_NAME
    by_hand = f"to write one: virnucpro-bus report {run_dir}"
    with suppress(FileNotFoundError):
        if not _is_report(path):
            report(f"{path}: is not a report of a run, and is kept; {by_hand}")
            return
    try:
        # A group of its own: Ctrl-C is for the launcher to act on.
        process = subprocess.Popen(
            self_command("report", str(run_dir), "--output", str(path), "--force"),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            process_group=0,
        )
    except OSError as error:
        report(f"{path}: is not written: {error.strerror}; {by_hand}")
        return
    # What it prints are a few lines, which the pipe holds until it has ended.
    while process.poll() is None and not stopped():
        sleep(_POLL_SECONDS)
    status = stop(process)
    lines = [] if process.stderr is None else process.stderr.read().decode(errors="replace").splitlines()
    if process.stderr is not None:
        process.stderr.close()
    if status:
        reason = f": {lines[-1].removeprefix('virnucpro-bus: ')}" if status > 0 and lines else ""
        report(f"{REPORT_NAME} is not written{reason}; {by_hand}")


def _is_report(path: Path) -> bool:
    """Whether the file is one of ours. Raises OSError."""
    with path.open("rb") as file:
        return REPORT_MARK in file.read(_MARK_BYTES)
