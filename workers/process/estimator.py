"""The process that calls a job's `estimate`, so that user code never runs in the launcher.

Started by launch/estimates.py: it reads a `Question` on standard input and writes a `Reply` to standard output. No
GPU is visible to it. Of a job with a name only the description is imported; a user's module, only if its source
contains the word "estimate": importing a framework takes seconds, and most jobs have no estimates.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable
from pathlib import Path

import msgspec

from virnucpro_bus.errors import UserError
from virnucpro_bus.text import text_of, visible
from workers.jobs.interface import ESTIMATE
from workers.jobs.loader import admit_user_modules, import_job, split_spec
from workers.process.answering import answer


class Question(msgspec.Struct, frozen=True):
    """A job and the files to estimate. Paths are bytes, because file names need not be UTF-8."""

    job: str
    """NAME or MODULE:ATTR."""
    options: dict[str, str]
    paths: list[bytes]


class Reply(msgspec.Struct, frozen=True):
    """One estimate for each path, or the problem, in one line. Both are None when the job has no estimates."""

    estimates: list[float] | None = None
    problem: str | None = None


def reply_to(question: Question) -> Reply:
    """Estimate the files. Raises only UserError, when the job or its description cannot be imported."""
    estimate = _find_estimate(question)
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


def _find_estimate(question: Question) -> Callable[[Path], float] | None:
    """Import the job's estimate of a file; None when it has none. Raises UserError."""
    if ":" not in question.job:
        from workers.jobs.named_jobs import find_job  # imported only where it is used: it takes 30 ms

        of_named = find_job(question.job).estimate
        return None if of_named is None else lambda path: of_named(path, question.options)
    admit_user_modules()
    if not _may_have_estimates(split_spec(question.job)[0]):
        return None
    of_user: Callable[[Path], float] | None = getattr(import_job(question.job), ESTIMATE, None)
    return of_user


def _may_have_estimates(module: str) -> bool:
    try:
        spec = importlib.util.find_spec(module)
    except BaseException:
        return False  # the workers report why it cannot be imported
    if spec is None or spec.origin is None:
        return False
    try:
        return ESTIMATE.encode() in Path(spec.origin).read_bytes()
    except OSError:
        return True  # it has no source to search


def main() -> None:
    """Answer the question on standard input."""
    answer(Question, _reply_or_problem)


def _reply_or_problem(question: Question) -> Reply:
    try:
        return reply_to(question)
    except UserError as error:
        return Reply(problem=str(error))
