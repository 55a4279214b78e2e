"""The process that asks a job for its estimates: user code runs here, and never in the launcher.

Started fresh as `python -m workers.process.estimator`; the question comes on standard input, the answer goes to
standard output. It sees no GPU. The module is not even imported where its text does not have the word "estimate":
importing a framework takes seconds, and most jobs have none.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

import msgspec

from virnucpro_bus.errors import UserError
from virnucpro_bus.text import visible
from workers.jobs.loader import module_of, named_by
from workers.process.parent_watch import end_with_parent

_ATTRIBUTE = "estimate"


class Question(msgspec.Struct, frozen=True):
    """How much work is in each of these files? Paths are bytes: file names need not be UTF-8."""

    job: str
    paths: list[bytes]


class Reply(msgspec.Struct, frozen=True):
    """The estimates, as many as there are paths. None, and no problem: the job has none."""

    estimates: list[float] | None = None
    problem: str | None = None


def reply_to(question: Question) -> Reply:
    """Import the job's module and ask. Raises UserError when it cannot be imported, and nothing else."""
    if not _may_have_estimates(question.job):
        return Reply()
    estimate = getattr(named_by(question.job), _ATTRIBUTE, None)
    if estimate is None:
        return Reply()
    estimates = []
    for raw in question.paths:
        path = Path(os.fsdecode(raw))
        try:
            estimates.append(float(estimate(path)))
        except (Exception, SystemExit) as error:
            text = str(error).strip().partition("\n")[0][:300]
            return Reply(problem=f"{visible(path.name)}: {type(error).__name__}: {visible(text)}")
    return Reply(estimates)


def _may_have_estimates(job: str) -> bool:
    try:
        spec = importlib.util.find_spec(module_of(job))
    except Exception:
        return False  # the workers will say why it cannot be imported
    if spec is None or spec.origin is None:
        return False
    try:
        return _ATTRIBUTE.encode() in Path(spec.origin).read_bytes()
    except OSError:
        return True  # it has no text that could be looked at


def main() -> None:
    """Answer one question."""
    end_with_parent()
    answers = os.fdopen(os.dup(1), "wb")
    # What the job prints is no answer.
    os.dup2(2, 1)
    question = msgspec.msgpack.decode(sys.stdin.buffer.read(), type=Question)
    try:
        reply = reply_to(question)
    except UserError as error:
        reply = Reply(problem=str(error))
    answers.write(msgspec.msgpack.encode(reply))
    answers.flush()
    # Threads that the module has started are not waited for.
    os._exit(0)


if __name__ == "__main__":
    main()
