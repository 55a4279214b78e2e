"""A loaded model that makes one embedding of each sequence. Imports torch, so for workers alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch

from virnucpro_bus.errors import InputError, UserError
from virnucpro_bus.text import visible
from workers.jobs.embedding.batching import Batches, TokenBudget
from workers.jobs.embedding.models import LoadedModel, load_model
from workers.jobs.embedding.settings import Settings

_CPU_BUDGET, _GPU_BUDGET, _LARGE_GPU_BUDGET = 1024, 4096, 16384
"""Tokens a batch where the user sets no number. On a CPU larger batches only have more padding."""
_LARGE_GPU_BYTES = 22 << 30
"""What the driver reports of the smallest GPU that is sold with 24 GB."""
# Errors that are not torch.OutOfMemoryError, although memory is what lacks.
_MEMORY_TEXTS = ("can't allocate memory", "CUBLAS_STATUS_ALLOC_FAILED", "CUDA error: out of memory")


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

    def __init__(self, settings: Settings, device: str, model: LoadedModel | None = None) -> None:
        """Load the model of `settings` to `device`, "cpu" or "cuda:0", or take the loaded `model`.

        Raises UserError if it cannot be loaded.
        """
        self._settings = settings
        self._device = device
        self._model = model or load_model(settings, device)
        self._budget = TokenBudget(settings.tokens or default_budget(device))

    @property
    def width(self) -> int:
        """The number of values of each embedding."""
        return self._model.width

    @property
    def parameters(self) -> int:
        """How many weights the model has, to which the time for a token is about proportional."""
        return self._model.parameters

    @property
    def dtype(self) -> str:
        """The name of the type that the model computes in."""
        return self._model.dtype

    @property
    def budget(self) -> int:
        """The tokens of a batch, padding included: what was set, halved each time that the memory ran out."""
        return self._budget.tokens

    def embed(
        self, names: Sequence[str], sequences: Sequence[str], on_progress: Callable[[float], object]
    ) -> Embedded:
        """Return the embeddings of `sequences`; `names` are for error messages.

        `on_progress` gets the share of the tokens done so far, up to 1: the longest sequences are done first, so
        that their number tells little of the time. Raises InputError for a sequence without a token, and
        UserError for one that does not fit into the memory alone, and for embeddings that are not finite.
        """
        vocabulary, limit = self._model.vocabulary, self._settings.max_length
        special = len(vocabulary.before) + len(vocabulary.after)
        tokens, truncated = [], 0
        for name, row in zip(names, vocabulary.encode(sequences), strict=True):
            if not len(row):
                raise InputError(f"record '{visible(name)[:100]}' has no letter to embed; remove it")
            truncated += limit is not None and len(row) > limit
            tokens.append(row[:limit])
        vectors: Any = np.empty((len(tokens), self.width), np.float32)
        lengths = [len(row) + special for row in tokens]
        batches = Batches(lengths, self._budget)
        done, total = 0, sum(lengths)
        while batch := batches.take():
            rows = self._vectors_if_they_fit([tokens[index] for index in batch])
            if rows is not None:
                vectors[batch] = rows
                done += sum(lengths[index] for index in batch)
                on_progress(done / total)
            elif not batches.put_back(batch):
                raise UserError(
                    f"record '{visible(names[batch[0]])[:100]}' does not fit into the memory of {self._device} "
                    f"with {len(tokens[batch[0]])} tokens; shorten it, or use max-length or dtype=float16"
                )
        _refuse_what_is_not_finite(vectors)
        return Embedded(vectors, np.array([len(row) for row in tokens], np.int64), truncated)

    def _vectors_if_they_fit(self, tokens: Sequence[Any]) -> Any:
        """Return the embeddings of one batch; None: the memory is too small for it."""
        try:
            return self._vectors(tokens)
        except (RuntimeError, MemoryError) as error:
            if not _is_out_of_memory(error):
                raise
        # After the exception, whose traceback holds on to the tensors.
        if torch.device(self._device).type == "cuda":
            torch.cuda.empty_cache()
        return None

    @torch.inference_mode()
    def _vectors(self, tokens: Sequence[Any]) -> Any:
        vocabulary, pool = self._model.vocabulary, self._settings.pool
        before, after = vocabulary.before, vocabulary.after
        lengths = np.array([len(row) for row in tokens])
        whole = lengths + len(before) + len(after)
        ids = np.full((len(tokens), whole.max()), vocabulary.padding, np.int64)
        for row, letters, end in zip(ids, tokens, whole, strict=True):
            row[:end] = [*before, *letters, *after]
        position = np.arange(ids.shape[1])
        mask = position < whole[:, None]
        if pool == "mean":
            pooled = (position >= len(before)) & (position < (lengths + len(before))[:, None])
        else:
            pooled = mask & (position < 1) if pool == "cls" else mask
        to_device = (torch.from_numpy(each).to(self._device) for each in (ids, mask.astype(np.int64), pooled))
        device_ids, device_mask, device_pooled = to_device
        hidden = self._model.hidden_states(device_ids, device_mask).float()
        # Not a product with the mask, because that of 0 and what is not finite is not finite.
        total = hidden.masked_fill(~device_pooled[..., None], 0.0).sum(1)
        return (total / device_pooled.sum(1, keepdim=True)).cpu().numpy()


def default_budget(device: str) -> int:
    """Return how many tokens a batch has where the user sets no number."""
    if torch.device(device).type != "cuda":
        return _CPU_BUDGET
    is_large = torch.cuda.get_device_properties(device).total_memory >= _LARGE_GPU_BYTES
    return _LARGE_GPU_BUDGET if is_large else _GPU_BUDGET


def _is_out_of_memory(error: BaseException) -> bool:
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or any(
        text in str(error) for text in _MEMORY_TEXTS
    )


def _refuse_what_is_not_finite(vectors: Any) -> None:
    wrong = int((~np.isfinite(vectors).all(axis=1)).sum())
    if wrong:
        are = "embedding is" if wrong == 1 else "embeddings are"
        raise UserError(f"{wrong} {are} not finite: use dtype=float32 or bfloat16")
