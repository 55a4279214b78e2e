"""The reason why an attempt failed, in one line."""

from __future__ import annotations

import pytest

from virnucpro_bus.errors import DoNotRetry, InputError
from virnucpro_bus.events.vocabulary import REASON_CHARACTERS
from workers.process.failure_reason import describe_failure


class OutOfMemoryError(RuntimeError):
    """Like torch's, which is not installed here."""

    __module__ = "torch"


class Derived(OutOfMemoryError):
    """A user's own subclass."""


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (InputError("a.fa: empty"), "a.fa: empty"),
        (DoNotRetry(), "DoNotRetry"),
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
