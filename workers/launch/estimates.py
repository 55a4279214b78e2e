"""A job's own estimates of the work in its files, in place of their bases: `estimate(path)` of the job.

They are asked for once, before the plan is made, in a process of its own that may take a minute: whatever is wrong
with them costs the estimates, and never the run.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace

import msgspec

from virnucpro_bus.text import visible
from workers.inputs import InputFile
from workers.jobs.loader import is_users_own
from workers.process.estimator import Question, Reply

TIMEOUT_SECONDS = 60.0
PARTS = 1_000_000
"""Costs are whole numbers: so many make one of the job's own units, whatever that is."""
MAX_ESTIMATE = 1e12
"""The greatest estimate."""


def apply_job_estimates(
    job: str, files: Sequence[InputFile], patience_seconds: float = TIMEOUT_SECONDS
) -> tuple[Sequence[InputFile], str | None]:
    """The files with the cost that the job estimates, and a warning in one line; None: all is well.

    As they were where the job has no estimates, or one of them is of no use: bases and a job's own units cannot be
    compared with each other.
    """
    if not files or not is_users_own(job):
        return files, None
    question = Question(job, [os.fsencode(file.path) for file in files])
    reply = _ask(question, patience_seconds)
    if reply.estimates is None and reply.problem is None:
        return files, None
    problem = reply.problem or _what_is_wrong(files, reply.estimates or [])
    if problem is not None:
        return files, f"the job's own estimates are not used, but the size of the files: {problem}"
    estimates = reply.estimates or []
    return [
        replace(file, cost=round(estimate * PARTS)) for file, estimate in zip(files, estimates, strict=True)
    ], None


def _ask(question: Question, patience_seconds: float) -> Reply:
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "workers.process.estimator"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "CUDA_VISIBLE_DEVICES": ""},
        process_group=0,
    )
    with process:
        try:
            said, _ = process.communicate(msgspec.msgpack.encode(question), patience_seconds)
        except subprocess.TimeoutExpired:
            return Reply(problem=f"they take longer than {patience_seconds:g} s")
        finally:
            if process.returncode is None:
                os.killpg(process.pid, signal.SIGKILL)
    try:
        return msgspec.msgpack.decode(said, type=Reply)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return Reply(problem=f"the process that was to make them ended with exit status {process.returncode}")


def _what_is_wrong(files: Sequence[InputFile], estimates: Sequence[float]) -> str | None:
    if len(estimates) != len(files):
        return f"{len(estimates)} for {len(files)} files"
    for file, estimate in zip(files, estimates, strict=True):
        if not 0.0 <= estimate <= MAX_ESTIMATE:
            return f"{visible(file.id)}: {estimate} is not from 0 to {MAX_ESTIMATE:g}"
    return None
