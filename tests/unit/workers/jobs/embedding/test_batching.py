"""Each sequence is in one batch, batches keep to the budget, and the budget only falls."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from workers.jobs.embedding.batching import Batches, TokenBudget

lengths = st.lists(st.integers(1, 60), max_size=40)
budgets = st.integers(1, 300)


def all_batches(lengths: list[int], tokens: int) -> list[list[int]]:
    batches = Batches(lengths, TokenBudget(tokens))
    return [list(batch) for batch in iter(batches.take, ())]


def cost(lengths: list[int], batch: list[int]) -> int:
    return max(lengths[index] for index in batch) * len(batch)


@given(lengths, budgets)
def test_each_sequence_is_in_one_batch_the_longest_first_and_those_of_a_length_in_their_order(
    lengths: list[int], tokens: int
) -> None:
    order = [index for batch in all_batches(lengths, tokens) for index in batch]
    assert order == sorted(range(len(lengths)), key=lambda index: (-lengths[index], index))


@given(lengths, budgets)
def test_a_batch_costs_no_more_than_the_budget_unless_it_is_one_sequence_and_has_no_room_for_the_next(
    lengths: list[int], tokens: int
) -> None:
    batches = all_batches(lengths, tokens)
    for batch in batches:
        assert len(batch) == 1 or cost(lengths, batch) <= tokens
    for batch, after in pairwise(batches):
        assert cost(lengths, [*batch, after[0]]) > tokens


@given(lengths, budgets, st.integers(60, 200))
def test_with_too_little_memory_each_sequence_is_done_once_and_the_budget_stays_halved(
    lengths: list[int], tokens: int, memory: int
) -> None:
    """`memory` is enough for each sequence alone, which has up to 60 tokens."""
    budget = TokenBudget(tokens)
    for _ in range(2):
        batches = Batches(lengths, budget)
        done: list[int] = []
        failures = 0
        while batch := list(batches.take()):
            before = budget.tokens
            if cost(lengths, batch) <= memory:
                done += batch
            else:
                failures += 1
                assert batches.put_back(batch)
                assert budget.tokens == cost(lengths, batch) // 2 < before
        assert sorted(done) == list(range(len(lengths)))
        # Each halving leaves at most half of the budget before.
        assert failures <= 3


def test_one_sequence_that_does_not_fit_alone_cannot_be_made_smaller() -> None:
    budget = TokenBudget(100)
    batches = Batches([70, 5], budget)
    assert not batches.put_back(batches.take())
    assert budget.tokens == 100
