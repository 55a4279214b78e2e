"""Where a run's metrics log goes, and which metrics logs are the run's to remove."""

from __future__ import annotations

import os
from pathlib import Path

from virnucpro_bus.errors import UserError
from virnucpro_bus.hub.bus_server import LOG_FOLDER
from virnucpro_bus.metrics_log_format import logs_at
from virnucpro_bus.run_folder import BUS_FILE, CAPTURE_NAME, SUMMARY_NAME
from workers.commit.result_store import ATTEMPTS_NAME, RESULTS_NAME

_OF_THE_RUN = {CAPTURE_NAME, SUMMARY_NAME, BUS_FILE, ".bus", LOG_FOLDER, RESULTS_NAME, ATTEMPTS_NAME}


def choose_log_path(run_dir: Path, name: str) -> Path:
    """The path of the metrics log that is to be called `name`: in `run_dir`, which need not be there yet, unless
    it is a path.

    Raises UserError when no log can be there: it has no name, is a folder, is or lies in what the run keeps there
    itself, or its folder is missing.
    """
    if not name:
        raise UserError("--log-file: the name is empty")
    path = run_dir / name
    # Whatever way leads there, by links or "..", it is the same place.
    place, home = Path(os.path.realpath(path)), Path(os.path.realpath(run_dir))
    if place == home or place.is_dir():
        raise UserError(f"--log-file {name}: is a folder; give the log a name in it")
    if place.is_relative_to(home) and place.relative_to(home).parts[0] in _OF_THE_RUN:
        raise UserError(f"--log-file {name}: is where the run keeps something else; give the log another name")
    if place.parent != home and not place.parent.is_dir():
        raise UserError(f"--log-file {name}: there is no folder {place.parent}; make it first")
    return path


def own_logs(run_dir: Path, log_file: Path) -> list[Path]:
    """The metrics logs of a run in `run_dir`, those that were moved aside too: what may be removed with it.

    What is no metrics log is not, whatever it is called; nor is one outside the folder, which others may share.
    """
    inside = Path(os.path.realpath(log_file.parent)).is_relative_to(os.path.realpath(run_dir))
    return logs_at(log_file) if inside else []
