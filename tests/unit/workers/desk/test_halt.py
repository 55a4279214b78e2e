"""When --halt ends a run."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virnucpro_bus.errors import UserError
from workers.desk.halt import Halt, When, Why, choose_halt, parse_halt


@pytest.mark.parametrize(
    ("text", "when", "why", "value", "is_percent"),
    [
        ("now,fail=1", When.NOW, Why.FAIL, 1, False),
        ("soon,success=30", When.SOON, Why.SUCCESS, 30, False),
        ("soon,done=7%", When.SOON, Why.DONE, 7, True),
        ("now,fail=100%", When.NOW, Why.FAIL, 100, True),
    ],
)
def test_a_condition_is_read_as_gnu_parallel_has_it(
    text: str, when: When, why: Why, value: int, is_percent: bool
) -> None:
    assert parse_halt(text) == Halt(f"--halt {text}", when, why, value, is_percent)


@pytest.mark.parametrize(
    "text",
    [
        *("", "soon", "fail=1", "soon,fail", "soon,fail=", "later,fail=1", "now,failed=1", "now,fail=-1"),
        *("now,fail=1.5", "now,fail=1 ", "now, fail=1", "now,fail=1%%", "never,fail=1", "NOW,fail=1"),
        *("now,fail=0", "now,fail=0%", "now,fail=101%", "now,fail=1234567890", "now,fail=٣", "now,fail=1\n"),
    ],
)
def test_what_is_not_a_condition_is_refused(text: str) -> None:
    with pytest.raises(UserError, match=r"expected never, or WHEN,WHY=VALUE|must be at least 1"):
        parse_halt(text)


def test_never_has_no_condition() -> None:
    assert parse_halt("never").reason(10, 10, 20) is None


def test_a_reason_names_the_files_and_the_option() -> None:
    assert parse_halt("soon,fail=2").reason(5, 3, 10) == "3 of 10 files have failed (--halt soon,fail=2)"
    assert parse_halt("soon,fail=1").reason(5, 1, 10) == "1 of 10 files has failed (--halt soon,fail=1)"
    assert parse_halt("now,success=50%").reason(5, 3, 10) == "5 of 10 files are completed (--halt now,success=50%)"


def test_max_failures_is_short_for_a_condition_and_excludes_another() -> None:
    halt = choose_halt(None, 2)
    assert halt is not None
    assert halt.when is When.SOON
    assert (halt.reason(9, 1, 20), halt.reason(0, 2, 20)) == (None, "2 of 20 files have failed (--max-failures 2)")
    assert choose_halt(None, None) is None
    with pytest.raises(UserError, match="give one of them"):
        choose_halt(parse_halt("never"), 2)


@given(st.integers(0, 300), st.integers(0, 300), st.integers(1, 100), st.sampled_from(Why))
def test_a_percentage_is_met_by_the_smallest_number_that_is_at_least_that_part(
    completed: int, failed: int, percent: int, why: Why
) -> None:
    total = max(1, completed + failed)
    count = {Why.FAIL: failed, Why.SUCCESS: completed, Why.DONE: completed + failed}[why]
    halt = parse_halt(f"soon,{why.value}={percent}%")
    assert (halt.reason(completed, failed, total) is not None) == (count > 0 and count / total >= percent / 100)
