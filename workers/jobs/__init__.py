"""Jobs: what a worker runs on each file.

`interface.py` defines what a job is. Before a run, `checked_job.py` checks what the command line names, which
`named_jobs.py` finds where that is a name and `named_job.py` describes; a worker then loads it by `loader.py`.
`source` reads what a user's module says of its job. `sixframe.py`, `shell.py`, `embedding` and `virnucpro` are
the jobs that come with the program; `fasta.py` reads FASTA, `sequence_file.py` from a file. May import inputs.
Start with `interface.py`.
"""

from workers.jobs.interface import JobContext
from workers.jobs.loader import make_job

__all__ = ["JobContext", "make_job"]
