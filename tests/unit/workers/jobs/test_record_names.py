"""The first record whose name is empty or repeated is found, in whatever batches the names come."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.jobs import record_names
from workers.jobs.record_names import RecordNames


def problem_of(*batches: list[bytes]) -> str | None:
    names = RecordNames()
    for batch in batches:
        names.add(batch)
    return names.problem


@given(st.lists(st.sampled_from([b"a", b"b", b"c", b"d", b""]), max_size=6), st.sets(st.integers(0, 6)))
def test_a_problem_is_found_wherever_the_batches_end(names: list[bytes], cuts: set[int]) -> None:
    ends = [*sorted(cut for cut in cuts if cut < len(names)), len(names)]
    batches = [names[begin:end] for begin, end in zip([0, *ends[:-1]], ends, strict=True)]
    assert problem_of(*batches) == problem_of(names)
    assert (problem_of(names) is None) == (len(set(names)) == len(names) and b"" not in names)


def test_the_first_problem_stays() -> None:
    problem = problem_of([b"a", b"b", b"b", b""], [b"a"])
    assert problem is not None
    assert problem.startswith("several records are named 'b'")
    assert problem_of([b"a"], [b""], [b"a"]) == (
        "a record has no name, so its results cannot be attributed; name each record"
    )


def test_no_more_than_a_limit_of_names_is_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record_names, "MAX_NAMES", 2)
    assert problem_of([b"a", b"b"], [b"c"], [b"c"]) is None
    assert problem_of([b"a", b"b"], [b"c"], [b"a"]) is not None
