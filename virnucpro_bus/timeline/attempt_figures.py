"""What the GPUs of an attempt did meanwhile, by all samples of the recorded run. Pure.

The fold reports the same of the last 100 files, from samples combined in buckets; here each one counts by itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

from virnucpro_bus.devices import is_simulated
from virnucpro_bus.metrics import FileRecord
from virnucpro_bus.samples.gpu_figures import GpuFigures, figures_between
from virnucpro_bus.samples.joint_figures import any_simulated, joint_figures
from virnucpro_bus.timeline.timeline import Attempt, Timeline


class AttemptFigures:
    """The figures of the attempts of one timeline. For one thread."""

    def __init__(self, timeline: Timeline) -> None:
        self._samples_of = cache(timeline.samples_of)

    def figures(self, attempt: Attempt) -> GpuFigures:
        """What its GPUs did from its start to its end; all unknown where no sample is known."""
        samples = self._samples_of(attempt.host, attempt.device).values()
        return joint_figures([figures_between(gpu, 1, attempt.start_ns, attempt.end_ns) for gpu in samples])

    def is_simulated(self, attempt: Attempt) -> bool | None:
        """Whether its figures are simulated; None where a real device was never sampled."""
        samples = self._samples_of(attempt.host, attempt.device).values()
        return is_simulated(attempt.device) or any_simulated([gpu.simulated for gpu in samples])


def exact_files(timeline: Timeline, files: Iterable[FileRecord]) -> list[FileRecord]:
    """Return `files`, which the fold of the same events reports, with their figures by single samples."""
    exact = AttemptFigures(timeline)
    # Also of attempts that are void because their worker died: the fold reports what workers have completed.
    attempts = {
        (each.host, each.device, each.file, each.attempt, each.duration_seconds): each
        for each in timeline.attempts
        if each.sequences is not None
    }
    found = []
    for file in files:
        attempt = attempts[file["host"], file["device"], file["file"], file["attempt"], file["duration_seconds"]]
        figures = exact.figures(attempt)
        found.append(
            FileRecord(
                **{
                    **file,
                    "compute_percent": figures.compute_percent,
                    "memory_peak_bytes": figures.memory_peak_bytes,
                    "energy_joules": figures.energy_joules,
                }
            )
        )
    return found
