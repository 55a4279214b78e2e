"""What a worker can run: the job interface and the jobs that come with it."""

from workers.jobs.interface import JobContext
from workers.jobs.loader import check_job, make_job

__all__ = ["JobContext", "check_job", "make_job"]
