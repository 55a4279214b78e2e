"""The nvidia-smi backend, for machines where the NVML binding cannot be loaded."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

from monitor.gpu.reading import BackendUnavailable, GpuReading, KnownGpus, driver_text, in_one_line
from virnucpro_bus.devices import is_number

SMI_SECONDS = 10
"""How long nvidia-smi may take."""
LINE_CHARACTERS = 200
"""Longer lines that nvidia-smi prints in place of GPUs are cut."""
MIB_BYTES = 2**20

_IDENTITY = ("index", "uuid", "name")
_UNITS = {
    "utilization.gpu": "%",
    "memory.used": "MiB",
    "memory.total": "MiB",
    "temperature.gpu": "C",
    "power.draw": "W",
}
"""The figures, with the unit that may stand after each."""
# Since driver 450; an older nvidia-smi refuses a query that contains it.
_MIG_FIELD = "mig.mode.current"
_NUMBER = re.compile(r"([-+]?[0-9]{1,18}(?:\.[0-9]+|,[0-9]{1,2})?)\s*(\S*)")
"""A number, and its unit. Three digits after a comma may be thousands, so they are unknown."""


@dataclass(frozen=True)
class _Row:
    """One line about one GPU."""

    index: int
    uuid: str | None
    name: str | None
    figures: Sequence[str]
    """The cells of `_UNITS`, and that of the MIG mode if it was asked for; empty if some are missing."""
    lost: bool


class SmiBackend:
    """Whole GPUs, without MIG instances, as nvidia-smi prints them."""

    name = "nvidia-smi"

    def __init__(self, problems: Sequence[str] = ()) -> None:
        """`problems` are listed before this backend's own. Raises BackendUnavailable when no GPU is printed."""
        program = shutil.which("nvidia-smi")
        if program is None:
            raise BackendUnavailable("nvidia-smi: not found; install the NVIDIA driver or put it on PATH")
        self.problems = tuple(problems)
        self._program = program
        self._figures = (*_UNITS, _MIG_FIELD)
        self._known = KnownGpus()
        self._last: list[GpuReading] = []
        rows, why = self._query()
        if not rows and _MIG_FIELD in why:
            self._figures = tuple(_UNITS)
            rows, why = self._query()
        if not rows:
            raise BackendUnavailable(f"nvidia-smi: {why}")

    def readings(self) -> list[GpuReading]:
        """Run nvidia-smi and return every GPU; blank readings of the same GPUs when it fails."""
        rows, _ = self._query()
        if rows:
            present = {row.uuid for row in rows if row.uuid}
            self._last = self._known.with_missing([self._reading(row, present) for row in rows])
        else:
            self._last = [reading.blank() for reading in self._last]
        return list(self._last)

    def close(self) -> None:
        """Do nothing: no process runs between two readings."""

    def _query(self) -> tuple[list[_Row], str]:
        """Return the rows of GPUs, and why there are none. One lost GPU sets the exit status: it is ignored."""
        fields = ",".join((*_IDENTITY, *self._figures))
        command = (self._program, f"--query-gpu={fields}", "--format=csv,noheader,nounits")
        # A user's locale might bring a decimal comma, or translated words.
        environment = {**os.environ, "LC_ALL": "C"}
        try:
            done = subprocess.run(command, capture_output=True, timeout=SMI_SECONDS, check=False, env=environment)
        except subprocess.TimeoutExpired:
            return [], f"no answer within {SMI_SECONDS} s; the driver hangs, check dmesg"
        except OSError as why:
            return [], f"cannot be run ({why.strerror}); install the NVIDIA driver, or remove it from PATH"
        lines = (done.stdout + done.stderr).decode("utf-8", "replace").strip().splitlines()
        message = in_one_line(lines[0])[:LINE_CHARACTERS].rstrip(".") if lines else "prints no GPU"
        gpus = [row for line in lines if (row := _row_of(line, len(self._figures))) is not None]
        return gpus, f"{message}; start the container with its GPUs, or check dmesg"

    def _reading(self, row: _Row, present: set[str]) -> GpuReading:
        device = self._known.identify(row.index, row.uuid, row.name, present)
        cells = row.figures or [""] * len(_UNITS)
        compute, used_mib, total_mib, temperature, power = map(_number, cells, _UNITS.values())
        used, total = (None if mib is None else int(mib * MIB_BYTES) for mib in (used_mib, total_mib))
        divided = list(cells[len(_UNITS) :]) == ["Enabled"]
        return GpuReading(device, compute, used, total, temperature, power, row.lost, divided=divided)


def _row_of(line: str, figures: int) -> _Row | None:
    """Return the row that `line` is; None for a line that is not about one GPU.

    nvidia-smi separates cells by a comma and a blank. A comma alone is part of a cell (a decimal comma), and since
    figures have none with a blank, further cells belong to the name.
    """
    separator = ", " if ", " in line else ","
    # The last cell may be empty.
    cells = [cell.strip().strip('"') for cell in f"{line} ".split(separator)]
    if len(cells) < len(_IDENTITY) or not is_number(cells[0]):
        return None
    end = max(len(_IDENTITY), len(cells) - figures)
    # With missing cells it is unknown which figure is which. A number is not a MIG mode: then cells have moved.
    is_whole = len(cells) - end == figures and (separator == ", " or end == len(_IDENTITY))
    is_moved = figures > len(_UNITS) and _NUMBER.fullmatch(cells[-1]) is not None
    known = cells[end:] if is_whole and not is_moved else ()
    lost = any("GPU is lost" in cell for cell in cells)
    return _Row(int(cells[0]), _text(cells[1]), _text(", ".join(cells[2:end])), known, lost)


def _text(cell: str) -> str | None:
    return None if cell.startswith("[") else driver_text(cell)


def _number(cell: str, unit: str) -> float | None:
    """The number in `cell`, with or without its unit.

    None for [N/A], [Not Supported], [Unknown Error], [GPU is lost], another unit and any other text.
    """
    found = _NUMBER.fullmatch(cell)
    return float(found[1].replace(",", ".")) if found is not None and found[2] in ("", unit) else None
