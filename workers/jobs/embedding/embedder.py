"""A loaded model that makes one embedding of each sequence. Imports torch, so for workers alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple


class Embedded(NamedTuple):
    """The embeddings of some sequences, in their order."""

    vectors: Any
    """float32, shape (sequences, width); all finite."""
    tokens: Any
    """How many tokens were read of each, without special ones; int64, shape (sequences,)."""
    truncated: int
    """How many sequences were longer than the model reads."""


class Embedder:
    """A model on one device. For one thread."""

    def embed(
        self, names: Sequence[str], sequences: Sequence[str], on_progress: Callable[[int], object]
    ) -> Embedded:
        """Return the embeddings of `sequences`; `names` are for error messages.

        `on_progress` gets the number of sequences done so far. Raises UserError for a sequence that does not fit
        into the memory alone, and for embeddings that are not finite.
        """
        raise NotImplementedError
