"""Jobs: what a worker runs on each file.

`interface.py` defines what a job is; `loader.py` finds the job that a spec names; `sixframe.py` and `shell.py` are
the jobs that come with the program; `fasta.py` reads FASTA, `sequence_file.py` from a file. May import inputs.
Start with `interface.py`.
"""

from workers.jobs.interface import JobContext
from workers.jobs.loader import check_job, make_job, reads_nucleotides

__all__ = ["JobContext", "check_job", "make_job", "reads_nucleotides"]
