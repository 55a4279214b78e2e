"""The parts of the inputs that several runs share."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.plans import input_files
from virnucpro_bus.errors import UserError
from virnucpro_bus.events.run_events import Shard
from workers.inputs.input_file import InputFile
from workers.schedule.shard import ShardName, Share, name_of, parse_shard, share_of

# Few values, so that equal costs are common.
costs = st.lists(st.one_of(st.integers(0, 6), st.integers(0, 10**12)), max_size=60)
totals = st.integers(1, 12)


def all_shares(files: Sequence[InputFile], total: int) -> list[Share]:
    return [share_of(files, ShardName(number, total)) for number in range(total)]


def work(files: Sequence[InputFile]) -> int:
    return sum(max(1, file.cost) for file in files)


@given(costs, totals, st.randoms())
def test_every_file_is_in_one_part_of_a_whole_whatever_the_order(
    costs: list[int], total: int, random: object
) -> None:
    files = input_files(costs)
    shares = all_shares(files, total)
    assert sorted(file.id for share in shares for file in share.files) == sorted(file.id for file in files)
    for share in shares:
        assert sorted(file.id for file in (*share.files, *share.others)) == sorted(file.id for file in files)
    shuffled = list(files)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert all_shares(shuffled, total) == shares
    assert len({share.shard.inputs for share in shares if share.shard}) == 1


@given(st.lists(st.integers(1, 20), min_size=1, max_size=7), st.integers(1, 3))
def test_the_largest_part_has_at_most_four_thirds_of_the_work_that_it_could_have(
    costs: list[int], total: int
) -> None:
    files = input_files(costs)
    best = min(
        max(sum(cost for cost, part in zip(costs, parts, strict=True) if part == each) for each in range(total))
        for parts in product(range(total), repeat=len(costs))
    )
    assert 3 * max(work(share.files) for share in all_shares(files, total)) <= 4 * best


def test_empty_files_are_spread_too() -> None:
    assert [len(share.files) for share in all_shares(input_files([0] * 8), 4)] == [2, 2, 2, 2]


def test_another_set_of_inputs_or_another_estimate_makes_other_shards() -> None:
    whole, name = input_files([5, 4, 3]), ShardName(0, 2)
    shards = [share_of(files, name).shard for files in (whole, whole[:2], input_files([5, 4, 2]))]
    assert len({shard.inputs for shard in shards if shard}) == 3
    assert [name_of(shard) for shard in shards] == [name] * 3


def test_without_a_shard_a_run_has_all_files_in_their_order() -> None:
    files = input_files([1, 3, 2])
    assert share_of(files, None) == Share(files)
    assert name_of(None) is None


def test_a_share_is_described_by_its_files_and_work() -> None:
    files = input_files([60, 30, 10])
    assert share_of(files, ShardName(1, 2)).describe() == "shard 1/2: 2 of 3 files, 40.0 % of the estimated work"
    assert share_of(files, ShardName(4, 5)).describe() == "shard 4/5: 0 of 3 files, 0.0 % of the estimated work"
    assert share_of(input_files([0]), ShardName(0, 1)).describe() == "shard 0/1: 1 of 1 files"


@pytest.mark.parametrize(("text", "name"), [("0/1", (0, 1)), ("3/4", (3, 4)), ("007/0012", (7, 12))])
def test_a_shard_is_written_as_its_number_and_how_many_there_are(text: str, name: tuple[int, int]) -> None:
    assert parse_shard(text) == name
    assert str(ShardName(3, 4)) == "3/4"
    assert name_of(Shard(3, 4, 40, "digest")) == (3, 4)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "expected I/N, for example 0/4 for the first of 4"),
        ("/", "expected I/N"),  # variables of Slurm that are not set
        ("1", "expected I/N"),
        ("-1/4", "expected I/N"),
        ("1/4 ", "expected I/N"),
        ("1/4\n", "expected I/N"),
        ("٣/٤", "expected I/N"),
        ("1/100000", "expected I/N"),
        ("4/4", "they count from 0, and the last of 4 is 3/4"),
        ("0/0", "they count from 0, and N is at least 1"),
    ],
)
def test_what_is_not_a_shard_is_refused_with_an_example(text: str, why: str) -> None:
    with pytest.raises(UserError, match=why):
        parse_shard(text)
