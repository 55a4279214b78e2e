"""Which recorded runs are the parts of one whole."""

from __future__ import annotations

from virnucpro_bus.run_reports import ShardReport
from virnucpro_bus.sources.shards import are_parts_of_one_whole, shard_warnings


def part(number: int, count: int = 3, files: int = 30, inputs: str = "i") -> ShardReport:
    return ShardReport(number=number, count=count, files=files, inputs=inputs)


def warnings(**shards: ShardReport | None) -> list[str]:
    return list(shard_warnings(shards))


def test_all_parts_of_one_whole_cause_no_warning() -> None:
    shards = {name: part(number) for number, name in enumerate("abc")}
    assert warnings(**shards) == []
    assert are_parts_of_one_whole(shards)


def test_runs_of_all_their_inputs_are_parts_of_nothing() -> None:
    assert warnings(a=None, b=None) == []
    assert not are_parts_of_one_whole({"a": None, "b": None})
    assert not are_parts_of_one_whole({"a": part(0), "b": None})


def test_one_shard_alone_is_what_was_asked_for() -> None:
    assert warnings(a=part(1)) == []
    assert not are_parts_of_one_whole({"a": part(1)})


def test_a_missing_shard_is_named_and_the_others_are_still_parts_of_one_whole() -> None:
    assert warnings(a=part(0), b=part(2)) == ["the runs that are given lack shard 1/3"]
    assert are_parts_of_one_whole({"a": part(0), "b": part(2)})
    assert warnings(a=part(1, 8), b=part(7, 8)) == [
        "the runs that are given lack shards 0/8, 2/8, 3/8, 4/8 and 2 more"
    ]


def test_a_shard_without_files_which_makes_no_run_is_not_missed() -> None:
    assert warnings(a=part(0, 8, files=2), b=part(1, 8, files=2)) == []


def test_a_shard_that_is_given_twice_is_named_visibly() -> None:
    assert warnings(**{"a": part(0), "b\n": part(0), "c": part(1), "d": part(2)}) == [
        "shard 0/3 is given 2 times: a, b\\x0a"
    ]
    assert not are_parts_of_one_whole({"a": part(0), "b": part(0)})


def test_shards_that_were_made_of_different_inputs_do_not_make_a_whole() -> None:
    of_two = {"a": part(0), "b": part(1), "c": part(2, inputs="j")}
    *_, line = warnings(**of_two)
    assert line == (
        "the shards are of different inputs (a, b; c): some files may be done twice, and others not at all"
    )
    assert not are_parts_of_one_whole(of_two)


def test_two_complete_wholes_can_be_compared_without_a_warning() -> None:
    assert warnings(a=part(0, 2), b=part(1, 2), c=part(0, 2, inputs="j"), d=part(1, 2, inputs="j")) == []
