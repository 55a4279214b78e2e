"""Which files are metrics logs: for the monitor, which writes them, and the launcher, which removes a run's."""

from __future__ import annotations

import stat
from pathlib import Path

FIRST_COLUMNS = ("timestamp", "gpu_id", "sequences_per_sec", "compute_percent", "memory_percent")
KIND = ",".join(FIRST_COLUMNS).encode()
"""How every metrics log begins, whatever version has written it."""
KEPT = 9
"""So many that were moved aside, to NAME.1, NAME.2 and so on, are kept beside NAME."""


def is_metrics_log(path: Path) -> bool:
    """Whether a metrics log stands at `path` itself: a file, and neither a link to one nor what cannot be read."""
    try:
        if not stat.S_ISREG(path.lstat().st_mode):
            return False
        with path.open("rb") as file:
            return file.read(len(KIND)) == KIND
    except OSError:
        return False


def logs_at(path: Path) -> list[Path]:
    """The metrics logs that stand at `path` and where rotation moves them aside, the newest first."""
    moved = (path.with_name(f"{path.name}.{number}") for number in range(1, KEPT + 1))
    return [each for each in (path, *moved) if is_metrics_log(each)]
