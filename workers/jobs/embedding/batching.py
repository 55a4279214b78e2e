"""Which sequences are computed together: those of about equal length, in as few batches as fit into the memory.

A batch is as wide as its longest sequence, so it costs that length times the number of its sequences: padding
counts. The longest sequences come first, because what does not fit shows at once. Pure: no tensor, no framework.
"""

from __future__ import annotations

from collections.abc import Sequence


class TokenBudget:
    """How many tokens, with those of the padding, a batch may have. It only ever falls."""

    def __init__(self, tokens: int) -> None:
        self.tokens = tokens

    def fits(self, longest: int) -> int:
        """Return how many sequences of up to `longest` tokens fit into a batch; one always may be tried."""
        return max(1, self.tokens // longest)

    def halve(self, longest: int, count: int) -> None:
        """Fall to half of what `count` sequences of up to `longest` tokens needed, because they did not fit."""
        self.tokens = min(self.tokens, longest * count // 2)


class Batches:
    """The batches of some sequences, each sequence in one of them. Not thread-safe."""

    def __init__(self, lengths: Sequence[int], budget: TokenBudget) -> None:
        """`lengths` are in tokens, at least 1."""
        self._lengths = lengths
        self._budget = budget
        # Of equal length the first comes first, so that the same sequences make the same batches.
        self._order = sorted(range(len(lengths)), key=lambda index: -lengths[index])
        self._taken = 0

    def take(self) -> Sequence[int]:
        """Return the indices of the next batch by the budget as it is now; empty: all were taken."""
        if self._taken == len(self._order):
            return ()
        begin = self._taken
        self._taken = min(begin + self._budget.fits(self._lengths[self._order[begin]]), len(self._order))
        return self._order[begin : self._taken]

    def put_back(self, batch: Sequence[int]) -> bool:
        """Take back the last batch, which did not fit; return whether a smaller one of them can be tried."""
        if len(batch) == 1:
            return False
        self._budget.halve(self._lengths[batch[0]], len(batch))
        self._taken -= len(batch)
        return True
