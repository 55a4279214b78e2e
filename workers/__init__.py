"""Files to devices: assignment, work stealing, worker processes."""

from workers.coordinator import Assignment, WorkStealingCoordinator
from workers.inputs import InputFile, find_inputs
from workers.jobs import JobContext

__all__ = ["Assignment", "InputFile", "JobContext", "WorkStealingCoordinator", "find_inputs"]
