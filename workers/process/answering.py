"""How a process that the launcher has started to run a job's code answers the one question it is started with."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import NoReturn, TypeVar

import msgspec

from workers.process.parent_watch import end_with_parent

Question = TypeVar("Question", bound=msgspec.Struct)


def answer(kind: type[Question], reply_to: Callable[[Question], msgspec.Struct]) -> NoReturn:
    """Read a question of this kind on standard input, write the reply to standard output, exit with status 0."""
    end_with_parent()
    output = os.fdopen(os.dup(1), "wb")
    # What the job prints must not mix with the reply.
    os.dup2(2, 1)
    question = msgspec.msgpack.decode(sys.stdin.buffer.read(), type=kind)
    output.write(msgspec.msgpack.encode(reply_to(question)))
    output.flush()
    # Do not wait for threads that the job has started.
    os._exit(0)
