"""The process that calls a job's `estimate`, so that user code never runs in the launcher.

Started by launch/estimates.py: it reads a `Question` on standard input and writes a `Reply` to standard output. No
GPU is visible to it. A job's module is imported only if its source contains the word "estimate": importing a
framework takes seconds, and most jobs have no estimates.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

import msgspec

from virnucpro_bus.errors import UserError
from virnucpro_bus.text import text_of, visible
from workers.jobs.loader import import_job, module_of
from workers.process.parent_watch import end_with_parent

_ATTRIBUTE = "estimate"


class Question(msgspec.Struct, frozen=True):
    """A job and the files to estimate. Paths are bytes, because file names need not be UTF-8."""

    job: str
    paths: list[bytes]


class Reply(msgspec.Struct, frozen=True):
    """One estimate for each path, or the problem, in one line. Both are None when the job has no estimates."""

    estimates: list[float] | None = None
    problem: str | None = None


def reply_to(question: Question) -> Reply:
    """Import the job's module and estimate the files. Raises only UserError, when it cannot be imported."""
    if not _may_have_estimates(question.job):
        return Reply()
    estimate = getattr(import_job(question.job), _ATTRIBUTE, None)
    if estimate is None:
        return Reply()
    estimates = []
    for raw in question.paths:
        path = Path(os.fsdecode(raw))
        try:
            estimates.append(float(estimate(path)))
        except BaseException as error:
            text = text_of(error).strip().partition("\n")[0][:300]
            return Reply(problem=f"{visible(path.name)}: {type(error).__name__}: {visible(text)}")
    return Reply(estimates)


def _may_have_estimates(job: str) -> bool:
    try:
        spec = importlib.util.find_spec(module_of(job))
    except BaseException:
        return False  # the workers report why it cannot be imported
    if spec is None or spec.origin is None:
        return False
    try:
        return _ATTRIBUTE.encode() in Path(spec.origin).read_bytes()
    except OSError:
        return True  # it has no source to search


def main() -> None:
    """Answer the question on standard input, then exit with status 0."""
    end_with_parent()
    output = os.fdopen(os.dup(1), "wb")
    # What the job prints must not mix with the reply.
    os.dup2(2, 1)
    question = msgspec.msgpack.decode(sys.stdin.buffer.read(), type=Question)
    try:
        reply = reply_to(question)
    except UserError as error:
        reply = Reply(problem=str(error))
    output.write(msgspec.msgpack.encode(reply))
    output.flush()
    # Do not wait for threads that the module has started.
    os._exit(0)
