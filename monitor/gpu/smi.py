"""The nvidia-smi backend, for machines where the NVML binding cannot be loaded."""

from __future__ import annotations

import csv
import math
import shutil
import subprocess
from collections.abc import Sequence

from monitor.gpu.reading import BackendUnavailable, GpuReading, KnownGpus, driver_text, in_one_line
from virnucpro_bus.devices import is_number

SMI_SECONDS = 10
"""How long nvidia-smi may take."""
LINE_CHARACTERS = 200
"""Longer lines that nvidia-smi prints in place of GPUs are cut."""
MIB_BYTES = 2**20

_FIELDS = "index,uuid,name,utilization.gpu,memory.used,memory.total,temperature.gpu,power.draw"
# Since driver 450; an older nvidia-smi refuses a query that contains it.
_MIG_FIELD = "mig.mode.current"


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
        self._fields = f"{_FIELDS},{_MIG_FIELD}"
        self._known = KnownGpus()
        self._last: list[GpuReading] = []
        rows, why = self._query()
        if not rows and _MIG_FIELD in why:
            self._fields = _FIELDS
            rows, why = self._query()
        if not rows:
            raise BackendUnavailable(f"nvidia-smi: {why}")

    def readings(self) -> list[GpuReading]:
        """Run nvidia-smi and return every GPU; blank readings of the same GPUs when it fails."""
        rows, _ = self._query()
        if rows:
            present = {uuid for row in rows if (uuid := _cell_text(row[1]))}
            self._last = self._known.with_missing([self._reading(row, present) for row in rows])
        else:
            self._last = [reading.blank() for reading in self._last]
        return list(self._last)

    def close(self) -> None:
        """Do nothing: no process runs between two readings."""

    def _query(self) -> tuple[list[list[str]], str]:
        """Return the rows of GPUs, and why there are none. One lost GPU sets the exit status: it is ignored."""
        command = (self._program, f"--query-gpu={self._fields}", "--format=csv,noheader,nounits")
        try:
            done = subprocess.run(command, capture_output=True, timeout=SMI_SECONDS, check=False)
        except subprocess.TimeoutExpired:
            return [], f"no answer within {SMI_SECONDS} s; the driver hangs, check dmesg"
        except OSError as why:
            return [], f"cannot be run ({why.strerror}); install the NVIDIA driver, or remove it from PATH"
        lines = (done.stdout + done.stderr).decode("utf-8", "replace").strip().splitlines()
        width = self._fields.count(",") + 1
        rows = [row for row in csv.reader(lines, skipinitialspace=True) if len(row) == width]
        message = in_one_line(lines[0])[:LINE_CHARACTERS].rstrip(".") if lines else "prints no GPU"
        gpus = [row for row in rows if is_number(row[0])]
        return gpus, f"{message}; start the container with its GPUs, or check dmesg"

    def _reading(self, row: list[str], present: set[str]) -> GpuReading:
        uuid, name = _cell_text(row[1]), _cell_text(row[2])
        device = self._known.identify(int(row[0]), uuid, name, present)
        compute, used_mib, total_mib, temperature, power = map(_cell_number, row[3:8])
        used, total = (None if mib is None else int(mib * MIB_BYTES) for mib in (used_mib, total_mib))
        lost = any("GPU is lost" in cell for cell in row)
        divided = row[8:] == ["Enabled"]
        return GpuReading(device, compute, used, total, temperature, power, lost, divided=divided)


def _cell_text(cell: str) -> str | None:
    return None if cell.startswith("[") else driver_text(cell)


def _cell_number(cell: str) -> float | None:
    """The number in `cell`; None for [N/A], [Not Supported], [Unknown Error], [GPU is lost] and any other text."""
    try:
        number = float(cell)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
