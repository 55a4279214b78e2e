"""The path of a run's metrics log, and which metrics logs belong to the run, to be removed with it."""

from __future__ import annotations

import os
from pathlib import Path

from virnucpro_bus.errors import UserError
from virnucpro_bus.metrics_log_format import logs_at
from virnucpro_bus.run_folder import (
    ATTEMPTS_NAME,
    BUS_FILE,
    CAPTURE_NAME,
    FOLD_NAME,
    LOG_FOLDER,
    REPORT_NAME,
    RESULTS_NAME,
    SUMMARY_NAME,
)

_RESERVED_NAMES = {
    CAPTURE_NAME, FOLD_NAME, SUMMARY_NAME, REPORT_NAME, BUS_FILE, ".bus", LOG_FOLDER, RESULTS_NAME, ATTEMPTS_NAME
}  # fmt: skip


def choose_log_path(run_dir: Path, name: str) -> Path:
    """Return the path of the metrics log `name`: in `run_dir`, which need not exist, unless `name` is a path.

    Raises UserError when the name is empty, when the path is a folder or reserved for other files of the run, and
    when its folder is missing.
    """
    if not name:
        raise UserError("--log-file: the name is empty; give a file name or a path")
    path = run_dir / name
    # Resolved, since links and ".." may lead to the same place.
    place, home = Path(os.path.realpath(path)), Path(os.path.realpath(run_dir))
    if place == home or place.is_dir():
        raise UserError(f"--log-file {name}: is a folder; add a file name")
    if place.is_relative_to(home) and place.relative_to(home).parts[0] in _RESERVED_NAMES:
        raise UserError(f"--log-file {name}: is reserved for other files of the run; choose another name")
    if place.parent != home and not place.parent.is_dir():
        raise UserError(f"--log-file {name}: the folder {place.parent} does not exist; create it first")
    return path


def own_logs(run_dir: Path, log_file: Path) -> list[Path]:
    """Return the metrics logs of the run in `run_dir`, with rotated ones: those that may be removed with the run.

    Files that are not metrics logs are left out, whatever their names, and so are logs outside the folder, which
    other runs may share.
    """
    inside = Path(os.path.realpath(log_file.parent)).is_relative_to(os.path.realpath(run_dir))
    return logs_at(log_file) if inside else []
