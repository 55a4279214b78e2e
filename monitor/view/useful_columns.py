"""Which columns of the device table tell something, and which of them matter most. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from rich.cells import cell_len

from monitor.model.view_model import ViewModel
from monitor.view.bars import BARS
from monitor.view.columns import COLUMNS, NO_CELL, Cells, Column
from virnucpro_bus.health.rows import Row, qualifiers
from virnucpro_bus.metrics import is_stale

_OF_GPUS = {
    "compute": "compute_percent",
    "max": "compute_max_percent",
    "memory": "memory_percent",
    "used": "memory_used_bytes",
    "temperature": "temperature",
    "power": "power_watts",
}
"""Columns of what a driver reports, and the figure that each has."""
_OF_PROCESSES = {"cpu": "cpu_percent", "resident": "resident_bytes", "reads": "read_bytes_per_second"}
_OF_WORK = {"state", *_OF_PROCESSES, "rate", "rate_trend", "queue", "completed", "failed", "stolen", "file"}
"""Columns that say nothing of a GPU that no worker uses; USED has their place."""
_IN_PLACE_OF = {"cpu": "compute", "resident": "memory", "reads": "temperature"}
"""The figures of processes have the ranks of those of GPUs where these are unknown."""


def useful_columns(
    rows: Sequence[Row], bodies: Sequence[Cells], model: ViewModel, labels: Mapping[str, str]
) -> list[Column]:
    """Return all columns that tell something of `rows`, of which `bodies` are shown.

    HOST only with several hosts, RUN only with several runs of a host, NAME only if names differ, a trend only if
    there is one; no figure that is unknown of all rows, and no FILE once the run has ended; of GPUs that no worker
    uses, only what the driver reports.
    """
    useless = {key for key in ("compute_trend", "rate_trend") if all(body[key] == NO_CELL for body in bodies)}
    useless |= {"host", "run"} - set(qualifiers(model.rows))
    useless |= _OF_WORK if model.is_of_gpus_alone else {"used"}
    useless |= unknown_figures(rows)
    if model.end and not any(work["current_file"] for work, _ in rows):
        useless.add("file")
    useless |= {bar for bar, figure in BARS.items() if figure in useless}
    if len(labels) <= 1:
        useless.add("name")
    ranks = {column.key: column.rank for column in COLUMNS}
    ranks |= {key: ranks[of] for key, of in _IN_PLACE_OF.items() if of in useless}
    label_cells = max(map(cell_len, labels.values()), default=0)
    return [
        replace(column, rank=ranks[column.key], cells=_least_cells(column, label_cells))
        for column in COLUMNS
        if column.key not in useless
    ]


def _least_cells(column: Column, label_cells: int) -> int:
    """The cells that a column has at least: NAME is no wider than the labels of the models need."""
    return max(len(column.header), min(label_cells, column.cells)) if column.key == "name" else column.cells


def unknown_figures(rows: Sequence[Row]) -> set[str]:
    """The columns whose figures are unknown of all rows. Lost GPUs, and stale figures, have a mark there."""
    unknown = {key for key, figure in _OF_PROCESSES.items() if all(work.get(figure) is None for work, _ in rows)}
    if not any(gpu["lost"] or is_stale(gpu) for _, gpu in rows):
        unknown |= {key for key, figure in _OF_GPUS.items() if all(gpu.get(figure) is None for _, gpu in rows)}
    return unknown if rows else set()
