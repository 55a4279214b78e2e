"""The reason why an attempt failed, in one line."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from virnucpro_bus.errors import InputError
from virnucpro_bus.events.vocabulary import REASON_CHARACTERS
from workers.process.failure_reason import describe_failure, is_disk_full


class OutOfMemoryError(RuntimeError):
    """Like torch's, which is not installed here."""

    __module__ = "torch"


class Derived(OutOfMemoryError):
    """A user's own subclass."""


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (InputError("a.fa: empty"), "a.fa: empty"),
        (ValueError("bad\n  \x1b[31m value"), "ValueError: bad \\x1b[31m value"),
        (ValueError(), "ValueError"),
        (MemoryError(), "MemoryError"),
        (OutOfMemoryError(), "CUDA out of memory"),
        (Derived("tried to allocate 2 GiB"), "CUDA out of memory: tried to allocate 2 GiB"),
        (OutOfMemoryError("CUDA out of memory. Tried 2 GiB"), "CUDA out of memory. Tried 2 GiB"),
        (
            RuntimeError("CUDA error: out of memory (at x.cpp)"),
            "CUDA out of memory: CUDA error: out of memory (at x.cpp)",
        ),
        (RuntimeError("JIT: CUDA_ERROR_OUT_OF_MEMORY"), "CUDA out of memory: JIT: CUDA_ERROR_OUT_OF_MEMORY"),
    ],
)
def test_a_reason_is_one_line_that_names_what_went_wrong(error: Exception, reason: str) -> None:
    assert describe_failure(error) == reason


def test_a_reason_is_no_longer_than_an_event_can_carry() -> None:
    assert len(describe_failure(ValueError("x" * 9000))) == REASON_CHARACTERS


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_known_by_its_error(tmp_path: Path, number: int) -> None:
    assert is_disk_full(OSError(number, ""), tmp_path / "out")
    assert not is_disk_full(OSError(errno.EIO, ""), tmp_path / "out")


def test_a_full_disk_is_known_from_what_an_error_was_raised_from(tmp_path: Path) -> None:
    full = OSError(errno.ENOSPC, "")
    chained = ValueError("cannot save")
    chained.__cause__ = full
    full.__cause__ = chained
    assert is_disk_full(chained, tmp_path / "out")
    assert is_disk_full(ExceptionGroup("tasks", [KeyError(), ExceptionGroup("inner", [full])]), tmp_path / "out")


def test_a_disk_that_cannot_be_read_is_not_taken_for_full(tmp_path: Path) -> None:
    assert not is_disk_full(ValueError(), tmp_path / "gone" / "out")
