"""The process that merges the results of all files into one, so that a job's code never runs in the launcher.

Started by launch/merge_process.py: it reads a `Question` on standard input, and writes a `Reply` to standard
output.
"""

from __future__ import annotations

import msgspec

from virnucpro_bus.errors import UserError
from virnucpro_bus.files.disk import Disk
from virnucpro_bus.text import text_of, visible
from workers.jobs.named_job import DoneFile
from workers.jobs.named_jobs import find_job
from workers.process.answering import answer
from workers.protocol import to_path


class Question(msgspec.Struct, frozen=True):
    """What to merge. Paths are bytes, because file names need not be UTF-8."""

    job: str
    """Its name."""
    target: bytes
    """The path of the merged file."""
    files: list[tuple[str, list[bytes]]]
    """Id and paths of the results of each file, as in `DoneFile`."""


class Reply(msgspec.Struct, frozen=True):
    """Why the file could not be written, in one line; None: it is written."""

    problem: str | None = None


def reply_to(question: Question) -> Reply:
    """Write the merged file in one step: it is whole or not there."""
    files = [DoneFile(file, tuple(map(to_path, paths))) for file, paths in question.files]
    try:
        merge = find_job(question.job).merge
        if merge is None:
            return Reply("the job merges nothing")
        with Disk().replace_atomically(to_path(question.target)) as file:
            merge.write(files, file)
    except BaseException as error:  # code of another package, which may also call sys.exit
        kind = "" if isinstance(error, UserError) else f"{type(error).__name__}: "
        return Reply(kind + visible(text_of(error).strip().partition("\n")[0][:300]))
    return Reply()


def main() -> None:
    """Answer the question on standard input."""
    answer(Question, reply_to)
