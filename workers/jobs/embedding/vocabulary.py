"""Sequences as the numbers of their tokens."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import numpy as np

from virnucpro_bus.errors import UserError

_UNKNOWN_RESIDUE = "X"
_AT_A_TIME = 4096
"""Sequences that a tokenizer gets in one call: its lists need many times the memory of an array."""


class Vocabulary(Protocol):
    """Encodes sequences for one model."""

    before: list[int]
    """The special tokens before each sequence."""
    after: list[int]
    """The special tokens after it."""
    padding: int

    def encode(self, sequences: Sequence[str]) -> Iterator[Any]:
        """Yield the tokens of each sequence without special ones; int32, shape (tokens,)."""
        ...


class LetterVocabulary:
    """ESM's: each letter is a token. A letter that it lacks, such as J or *, is X, which stands for any residue.

    A table, because the tokenizer of the library takes a millisecond for a protein, as long as a GPU does.
    """

    def __init__(self, tokens: Sequence[str]) -> None:
        """`tokens` are all that the model has, in order. Raises ValueError if X or a special one is missing."""
        self.before = [tokens.index("<cls>")]
        self.after = [tokens.index("<eos>")]
        self.padding = tokens.index("<pad>")
        self._table: Any = np.full(256, tokens.index(_UNKNOWN_RESIDUE), np.int32)
        for number, token in enumerate(tokens):
            if len(token) == 1 and token.isascii():
                self._table[ord(token)] = number

    def encode(self, sequences: Sequence[str]) -> Iterator[Any]:
        """Yield the tokens of each sequence without special ones; int32, shape (letters,)."""
        for sequence in sequences:
            yield self._table[np.frombuffer(sequence.encode("ascii"), np.uint8)]


class TokenizerVocabulary:
    """That of a tokenizer of the library transformers."""

    def __init__(self, tokenizer: Any, sample: str) -> None:
        """`sample` is a piece of a sequence. Raises UserError if its letters are unknown to the tokenizer."""
        self._tokenizer = tokenizer
        plain, whole = self._tokens_of([sample])[0], tokenizer(sample)["input_ids"]
        if not plain or set(plain) <= {tokenizer.unk_token_id}:
            raise UserError(
                "its tokenizer knows no piece of a sequence such as "
                f"{sample}: it expects words with blanks between them; use another model"
            )
        begin = next(at for at in range(len(whole)) if whole[at : at + len(plain)] == plain)
        self.before = whole[:begin]
        self.after = whole[begin + len(plain) :]
        self.padding = tokenizer.pad_token_id or 0

    def encode(self, sequences: Sequence[str]) -> Iterator[Any]:
        """Yield the tokens of each sequence without special ones; int32, shape (tokens,)."""
        for begin in range(0, len(sequences), _AT_A_TIME):
            for tokens in self._tokens_of(sequences[begin : begin + _AT_A_TIME]):
                yield np.array(tokens, np.int32)

    def _tokens_of(self, sequences: Sequence[str]) -> list[list[int]]:
        coded = self._tokenizer(
            list(sequences), add_special_tokens=False, return_attention_mask=False, verbose=False
        )
        tokens: list[list[int]] = coded["input_ids"]
        return tokens
