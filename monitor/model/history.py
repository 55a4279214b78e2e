"""The history of a run while it is watched: throughput and load of all devices together, sample by sample.

Recorded by the run's own time, as trends are.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from statistics import fmean

from monitor.model.view_model import RunHistory, each_gpu_once, known_sum
from virnucpro_bus.health.rows import Row

SAMPLES_OF_RUN_KEPT = 512
"""More than fit a wide screen; a quarter of an hour at the default interval."""


class HistoryKeeper:
    """Keeps the history of a run, in a size that does not grow. One thread."""

    def __init__(self, samples: int = SAMPLES_OF_RUN_KEPT) -> None:
        self._samples = samples
        self._history = RunHistory()

    def add(self, rows: Sequence[Row], seconds: float) -> RunHistory:
        """Add one sample at run time `seconds`, and return the history with it.

        If time has not moved nothing is added. If it has gone back the history starts over.
        """
        last = self._history.seconds[-1] if self._history.seconds else -inf
        if seconds == last:
            return self._history
        before = self._history if seconds > last else RunHistory()
        kept = slice(1 - self._samples, None)
        computes = [gpu["compute_percent"] for row, gpu in each_gpu_once(rows) for _ in row["gpus"] or (None,)]
        known = [value for value in computes if value is not None]
        self._history = RunHistory(
            (*before.seconds[kept], seconds),
            (*before.throughputs[kept], known_sum(row["throughput"] for row, _ in rows)),
            (*before.computes[kept], fmean(known) if known else None),
            (*before.cpus[kept], known_sum(row["cpu_percent"] for row, _ in rows)),
        )
        return self._history
