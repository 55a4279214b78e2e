"""What cannot be written: an answer that is asked for once raises, what is shown live does not."""

from __future__ import annotations

import errno
import io
import os

import pytest
from rich.console import Console

from monitor.model.collector import Failures, nothing_yet
from monitor.model.selection import EVERYTHING
from monitor.terminal.output import DashboardOutput

MODEL = nothing_yet(0, "run")


class Refusing(io.StringIO):
    """A file on a disk that is full, or a pipe that nothing reads."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number
        self.writes = 0

    def write(self, text: str) -> int:
        self.writes += 1
        raise OSError(self.number, os.strerror(self.number))


def output(file: io.StringIO, failures: Failures | None = None) -> DashboardOutput:
    return DashboardOutput(Console(file=file), failures or Failures(), lambda: None, line_seconds=0)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EPIPE, errno.EIO])
def test_a_table_that_cannot_be_written_is_an_error(number: int) -> None:
    with pytest.raises(OSError, match=os.strerror(number)):
        output(Refusing(number)).print_table(MODEL, EVERYTHING)


def test_lines_that_cannot_be_written_are_tried_again_and_the_reason_is_kept() -> None:
    file, failures = Refusing(errno.ENOSPC), Failures()
    lines = output(file, failures)
    for _ in range(3):
        lines.show(MODEL, EVERYTHING)
    assert file.writes == 3
    assert lines.write_error is not None
    assert lines.write_error.errno == errno.ENOSPC
    assert failures.problems()


def test_lines_that_nothing_reads_any_more_are_not_written_again_and_the_reason_is_kept() -> None:
    file = Refusing(errno.EPIPE)
    lines = output(file)
    for _ in range(3):
        lines.show(MODEL, EVERYTHING)
    assert file.writes == 1
    assert isinstance(lines.write_error, BrokenPipeError)


def test_lines_that_are_written_leave_no_reason() -> None:
    lines = output(io.StringIO())
    lines.show(MODEL, EVERYTHING)
    assert lines.write_error is None
