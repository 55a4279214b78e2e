"""A job's own estimates of the work in its files, which replace the files' sizes in the plan.

They are made once, before the plan, in a process of its own that may take a minute. If anything is wrong with them
the run goes by the sizes.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence

import msgspec

from virnucpro_bus.system.child_process import ask
from virnucpro_bus.system.own_packages import own_program
from virnucpro_bus.text import visible
from workers.inputs.input_file import InputFile
from workers.inputs.input_files import InputFiles
from workers.jobs.checked_job import CheckedJob
from workers.jobs.interface import COST_PER_UNIT
from workers.process.estimator import Question, Reply

TIMEOUT_SECONDS = 60.0
MAX_ESTIMATE = 1e12


def apply_job_estimates(
    job: CheckedJob, files: Sequence[InputFile], timeout_seconds: float = TIMEOUT_SECONDS
) -> tuple[Sequence[InputFile], str | None]:
    """Return the files with the costs that the job estimates, and a warning in one line (None: no problem).

    The files are returned unchanged if the job has no estimates, or if one of them is unusable: sizes in bases and
    estimates in the job's own unit cannot be compared with each other.
    """
    if not files or not job.may_estimate:
        return files, None
    columns = InputFiles.of(files)
    question = Question(job.spec, dict(job.options), [os.fsencode(path) for path in columns.paths])
    reply = _estimate(question, timeout_seconds)
    if reply.estimates is None and reply.problem is None:
        return files, None
    problem = reply.problem or _find_problem(columns.ids, reply.estimates or [])
    if problem is not None:
        return files, f"the job's estimates are not used, but the sizes of the files: {problem}"
    estimates = reply.estimates or []
    return columns.with_costs([round(estimate * COST_PER_UNIT) for estimate in estimates]), None


def _estimate(question: Question, timeout_seconds: float) -> Reply:
    try:
        answer = ask(
            own_program("workers.process.estimator"),
            msgspec.msgpack.encode(question),
            seconds=timeout_seconds,
            environment={**os.environ, "CUDA_VISIBLE_DEVICES": ""},
        )
    except OSError as error:
        return Reply(problem=f"the estimating process cannot be started: {error.strerror}")
    except subprocess.TimeoutExpired:
        return Reply(problem=f"estimating takes longer than {timeout_seconds:g} s")
    try:
        return msgspec.msgpack.decode(answer.output, type=Reply)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return Reply(problem=f"the estimating process ended with exit status {answer.status}")


def _find_problem(ids: Sequence[str], estimates: Sequence[float]) -> str | None:
    if len(estimates) != len(ids):
        return f"{len(estimates)} estimates for {len(ids)} files"
    for name, estimate in zip(ids, estimates, strict=True):
        if not 0.0 <= estimate <= MAX_ESTIMATE:
            return f"{visible(name)}: {estimate} is not from 0 to {MAX_ESTIMATE:g}"
    return None
