"""Runs a job over many input files on several devices: assignment, work stealing, worker processes.

`launch/launcher.py` runs a whole run; `coordinator/coordinator.py` decides which device gets which file. User code
runs in `process/` only. May import virnucpro_bus; importing this package loads no GPU library.
"""

from typing import TYPE_CHECKING

from virnucpro_bus._lazy import lazily

if TYPE_CHECKING:
    from workers.coordinator.assignment import Assignment
    from workers.coordinator.coordinator import WorkStealingCoordinator
    from workers.inputs.find import find_inputs
    from workers.inputs.input_file import InputFile
    from workers.jobs.interface import JobContext
    from workers.jobs.named_job import JobOption, NamedJob, Options

__all__ = [
    "Assignment",
    "InputFile",
    "JobContext",
    "JobOption",
    "NamedJob",
    "Options",
    "WorkStealingCoordinator",
    "find_inputs",
]

__getattr__ = lazily(
    __name__,
    {
        "workers.coordinator.assignment": ["Assignment"],
        "workers.coordinator.coordinator": ["WorkStealingCoordinator"],
        "workers.inputs.find": ["find_inputs"],
        "workers.inputs.input_file": ["InputFile"],
        "workers.jobs.interface": ["JobContext"],
        "workers.jobs.named_job": ["JobOption", "NamedJob", "Options"],
    },
)
