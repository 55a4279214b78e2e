"""The logs in run folders, for a dashboard. What events name is compared with names on disk, and never opened."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from monitor.model.log_page import LogPage
from virnucpro_bus.logs.find import Log, find_logs
from virnucpro_bus.logs.lines import last_lines
from virnucpro_bus.logs.names import AttemptName

MOST_LINES = 200
"""More than a screen has."""


class RunLogs:
    """The logs in the folders of runs. A LogSource."""

    def __init__(self, run_dirs: Sequence[Path]) -> None:
        self._run_dirs = run_dirs

    def page(self, number: int) -> LogPage | None:
        """Return log `number`, modulo their number, the one that was last written first; None without any."""
        found = [log for run_dir in self._run_dirs for log in find_logs(run_dir)]
        found.sort(key=lambda log: log.written_ns, reverse=True)
        return None if not found else _page(found[number % len(found)], number % len(found), len(found))

    def of_files(self, files: Iterable[str]) -> LogPage | None:
        """Return the log of the last attempt at the first of `files` that has one; None: none has."""
        wanted = list(files)

        def is_wanted(attempt: AttemptName | None) -> bool:
            return attempt is not None and attempt.file in wanted

        found: dict[str, list[Log]] = {}
        for log in (log for run_dir in self._run_dirs for log in find_logs(run_dir, is_wanted)):
            if log.attempt is not None:
                found.setdefault(log.attempt.file, []).append(log)
        logs = next((found[file] for file in wanted if file in found), [])
        return _page(max(logs, key=lambda log: log.written_ns), len(logs) - 1, len(logs)) if logs else None

    def of_worker(self, worker: str) -> LogPage | None:
        """Return the log of a worker's own output, by its source in events; None: there is none.

        Of several runs that have one, that which was last written.
        """
        logs = [log for run_dir in self._run_dirs for log in find_logs(run_dir, lambda attempt: attempt is None)]
        own = [log for log in logs if log.source == worker]
        return _page(max(own, key=lambda log: log.written_ns), 0, 1) if own else None


def _page(log: Log, number: int, total: int) -> LogPage:
    return LogPage(log.shown, number, total, log.size_bytes, tuple(last_lines(log.path, MOST_LINES)))
