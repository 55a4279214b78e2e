"""How to recognise metrics logs: the monitor writes them, the launcher removes those of a run that is replaced."""

from __future__ import annotations

import stat
from pathlib import Path

FIRST_COLUMNS = ("timestamp", "gpu_id", "sequences_per_sec", "compute_percent", "memory_percent")
SIGNATURE = ",".join(FIRST_COLUMNS).encode()
"""The first bytes of every metrics log, of any version."""
ROTATED_LOGS = 9
"""How many rotated logs, NAME.1 to NAME.9, are kept beside NAME."""


def is_metrics_log(path: Path) -> bool:
    """Whether `path` itself is a metrics log; False for a link to one, and for a file that cannot be read."""
    try:
        if not stat.S_ISREG(path.lstat().st_mode):
            return False
        with path.open("rb") as file:
            return file.read(len(SIGNATURE)) == SIGNATURE
    except OSError:
        return False


def logs_at(path: Path) -> list[Path]:
    """Return the metrics logs at `path` and at the names that rotation gives them, newest first."""
    rotated = (path.with_name(f"{path.name}.{number}") for number in range(1, ROTATED_LOGS + 1))
    return [each for each in (path, *rotated) if is_metrics_log(each)]
