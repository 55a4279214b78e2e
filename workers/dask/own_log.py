"""What Dask logs in the launcher, where the screen belongs to the dashboard: into a file, or nowhere."""

from __future__ import annotations

import logging
from pathlib import Path

_NAMES = ("distributed", "tornado")


def redirect_log(path: Path | None) -> None:
    """Append what Dask logs in this process from now on to a file; None: drop it. Raises OSError."""
    handler: logging.Handler = logging.NullHandler()
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        handler = logging.FileHandler(path)
        handler.setFormatter(logging.Formatter("%(asctime)s %(name)s %(levelname)s %(message)s"))
    handler.setLevel(logging.WARNING)
    known = [name for name in logging.root.manager.loggerDict if name.partition(".")[0] in _NAMES]
    for logger in map(logging.getLogger, known):
        # Dask gives several of its loggers a handler that writes to the terminal.
        if logger.handlers:
            for each in logger.handlers:
                each.close()
            logger.handlers[:] = [handler]
