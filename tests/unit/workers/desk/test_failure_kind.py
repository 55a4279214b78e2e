"""Which failures are alike, and which of them the user gets a line about."""

from __future__ import annotations

import pytest

from workers.desk.failure_kind import MAX_KINDS_NAMED, FailureLines, group_by_kind, kind_of, may_be_of_size


@pytest.mark.parametrize(
    ("reason", "other"),
    [
        ("RuntimeError: no a.fa", "RuntimeError: no bc.fa.gz"),
        ("RuntimeError: no a, or a_rc", "RuntimeError: no bc, or bc_rc"),
        ("ValueError: 12 of 0x7f3a, 1.5 s", "ValueError: 7 of 0xbeef, 22.25 s"),
        ("/data/one/a.fa: line 2: 'L' in record 'x' is odd", "/data/bc.fa.gz: line 14: 'Q' in record 'yz' is odd"),
        ('OSError: [Errno 2] No file: "/run/.attempts/1a"', 'OSError: [Errno 2] No file: "/run/.attempts/7f"'),
        ("exit status 1: can't open /tmp/x1", "exit status 2: can't open /q"),
    ],
)  # fmt: skip
def test_what_differs_from_file_to_file_makes_no_difference(reason: str, other: str) -> None:
    assert kind_of(reason, "a.fa") == kind_of(other, "bc.fa.gz")


@pytest.mark.parametrize(
    ("reason", "other"),
    [
        ("ValueError: bad", "RuntimeError: bad"),
        ("ValueError: bad", "ValueError: worse"),
        # A name within a word is not the file's.
        ("ValueError: alpha", "ValueError: bclphbc"),
    ],
)
def test_failures_of_another_type_or_message_are_not_alike(reason: str, other: str) -> None:
    assert kind_of(reason, "a.fa") != kind_of(other, "bc.fa")


@pytest.mark.parametrize(
    "reason",
    [
        "CUDA out of memory: tried to allocate 2 GiB",
        "MemoryError",
        "reads.fa: record 3 does not fit into the memory",
        "java.lang.OutOfMemoryError: heap",
        "TimeoutError: timed out",
        "the command was killed by SIGKILL",
        "the command ended with exit status 139 (its program was killed by SIGSEGV)",
    ],
)
def test_too_little_memory_or_time_and_signals_may_be_due_to_the_size_of_a_file(reason: str) -> None:
    assert may_be_of_size(reason)


@pytest.mark.parametrize(
    "reason", ["AttributeError: 'str' object has no attribute 'x'", "ValueError: bad signal", "design"]
)
def test_other_failures_are_not(reason: str) -> None:
    assert not may_be_of_size(reason)


def test_files_that_failed_alike_are_one_group_in_the_order_of_the_first_ones() -> None:
    reasons = [("a.fa", "ValueError: 1"), ("b.fa", "OSError: no b.fa"), ("c.fa", "ValueError: 7")]
    assert group_by_kind(reasons) == [["a.fa", "c.fa"], ["b.fa"]]


def test_of_each_kind_one_failure_gets_a_line_and_beyond_ten_kinds_one_line_says_so() -> None:
    lines = FailureLines()
    chosen = [lines.choose(f"kind {n % 30}", lambda n=n: f"line {n}") for n in range(90)]  # type: ignore[misc]
    printed = [line for line in chosen if line is not None]
    assert printed == [
        *(f"line {n}" for n in range(MAX_KINDS_NAMED)),
        "attempts fail in more ways, which are not named here",
    ]
