"""When the first failures of a run show that every file would fail."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from workers.desk.first_failures import FIRST_FILES, FirstFailures


def failing(first: FirstFailures, numbers: range, reason: str = "bug", *, for_good: bool = False) -> list[bool]:
    return [first.fail("cpu:0", f"{n}.fa", reason, reason, for_good=for_good) for n in numbers]


def suspecting() -> FirstFailures:
    """One that has seen all files but one of those that decide."""
    first = FirstFailures(is_over=False)
    failing(first, range(FIRST_FILES - 1), for_good=True)
    return first


def test_a_dozen_files_that_fail_alike_decide_if_the_shortest_is_among_them() -> None:
    first = FirstFailures(is_over=False)
    assert not any(failing(first, range(FIRST_FILES - 2)))
    wanted = [first.wants_shortest]
    failing(first, range(FIRST_FILES - 1))
    wanted.append(first.wants_shortest)
    first.begin_shortest("999.fa")
    wanted.append(first.wants_shortest)
    assert wanted == [False, True, False]
    # Longer ones that were in progress.
    assert not any(failing(first, range(50, 60)))
    assert failing(first, range(999, 1000)) == [True]
    assert first.is_decided


def test_once_all_files_have_begun_the_dozen_decides() -> None:
    first = suspecting()
    first.begin_shortest(None)
    assert failing(first, range(50, 52)) == [True, False]


def test_attempts_at_one_file_count_once() -> None:
    first = FirstFailures(is_over=False)
    first.begin_shortest(None)
    for _ in range(5):
        assert not any(failing(first, range(FIRST_FILES - 1)))


def test_the_longest_files_alone_do_not_decide() -> None:
    first = suspecting()
    first.begin_shortest("999.fa")
    first.complete()
    assert not any(failing(first, range(100, 200)))


def test_a_completed_file_of_an_earlier_session_is_one() -> None:
    first = FirstFailures(is_over=True)
    assert not any(failing(first, range(100)))
    assert not first.wants_shortest


def test_failures_in_different_ways_do_not_decide_however_many_they_are() -> None:
    first = FirstFailures(is_over=False)
    first.begin_shortest(None)
    for n in range(1000):
        assert failing(first, range(n, n + 1), f"bug {n}") == [False]
    assert not any(failing(first, range(2000, 2100)))


def test_failures_that_may_be_due_to_the_size_of_a_file_do_not_count() -> None:
    first = FirstFailures(is_over=False)
    first.begin_shortest(None)
    assert not any(failing(first, range(100), "CUDA out of memory"))


def test_those_that_failed_for_good_in_the_same_way_are_named_with_their_devices() -> None:
    first = suspecting()
    first.fail("cpu:1", "other.fa", "x", "x", for_good=True)
    first.begin_shortest(None)
    assert first.fail("cpu:1", "last.fa", "bug", "bug", for_good=False)
    assert first.failed_for_good() == {f"{n}.fa": "cpu:0" for n in range(FIRST_FILES - 1)}


FAILURES = st.tuples(st.integers(0, 20), st.sampled_from(["bug", "other", "timed out"]))


@given(st.lists(FAILURES, max_size=80), st.integers(0, 20))
def test_a_run_is_ended_by_the_report_that_makes_a_dozen_with_the_shortest_and_by_no_other(
    failures: list[tuple[int, str]], shortest: int
) -> None:
    first, seen = FirstFailures(is_over=False), {"bug": set[int](), "other": set[int](), "timed out": set[int]()}
    first.begin_shortest(f"{shortest}.fa")
    is_due = False
    for file, reason in failures:
        seen[reason].add(file)
        was_due = is_due
        is_due |= reason != "timed out" and len(seen[reason]) >= FIRST_FILES and shortest in seen[reason]
        assert first.fail("cpu:0", f"{file}.fa", reason, reason, for_good=False) == (is_due and not was_due)
    assert first.is_decided == is_due
