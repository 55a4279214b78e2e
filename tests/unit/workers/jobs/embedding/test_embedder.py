"""Embeddings equal those of a plain loop, one sequence at a time, whatever the batches are."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="needs torch: pip install 'virnucpro-bus[models]'")

import numpy as np
import transformers

from tests.support.tiny_models import BERT_LAYERS, DNABERT_LAYERS, ESM_LAYERS
from virnucpro_bus.errors import InputError, UserError
from workers.jobs.embedding.embedder import Embedded, Embedder
from workers.jobs.embedding.models import LoadedModel, load_model
from workers.jobs.embedding.settings import settings_of

TOLERANCE = 1e-5
DICE = random.Random(3)
PROTEINS = ["".join(DICE.choices("ACDEFGHIKLMNPQRSTVWYX", k=DICE.randint(1, 60))) for _ in range(12)]
BASES = ["".join(DICE.choices("ACGTN", k=DICE.randint(1, 150))) for _ in range(12)]


def embed(model: Path, sequences: Sequence[str], **options: str) -> Embedded:
    return embed_with(Embedder(settings_of({"model": str(model), **options}), "cpu"), sequences)


def embed_with(embedder: Embedder, sequences: Sequence[str]) -> Embedded:
    names = [f"s{number}" for number in range(len(sequences))]
    return embedder.embed(names, sequences, lambda _: None)


def difference(some: Any, others: Any) -> float:
    assert some.shape == others.shape
    return float(np.abs(some - others).max())


def one_at_a_time(states: Callable[[Any], Any], tokenizer: Any, sequences: Sequence[str], ends: int) -> Any:
    """The mean over the tokens of each sequence but `ends` at both ends, without batches, padding or a mask."""
    vectors = []
    with torch.inference_mode():
        for sequence in sequences:
            tokens = tokenizer(sequence, return_tensors="pt")["input_ids"]
            vectors.append(states(tokens)[0, ends : tokens.shape[1] - ends].mean(0).numpy())
    return np.stack(vectors)


def states_of(folder: Path, layer: int) -> Callable[[Any], Any]:
    model = transformers.AutoModel.from_pretrained(folder, local_files_only=True).eval()
    return lambda tokens: model(tokens, output_hidden_states=True).hidden_states[layer]


@pytest.mark.parametrize(("pool", "ends"), [("mean", 1), ("mean-all", 0)])
@pytest.mark.parametrize("layer", [0, 1, ESM_LAYERS])
def test_embeddings_of_esm_equal_those_of_a_plain_loop(esm: Path, pool: str, ends: int, layer: int) -> None:
    tokenizer = transformers.AutoTokenizer.from_pretrained(esm)
    expected = one_at_a_time(states_of(esm, layer), tokenizer, PROTEINS, ends)
    assert difference(embed(esm, PROTEINS, pool=pool, layer=str(layer)).vectors, expected) < TOLERANCE


def test_embeddings_of_a_bert_equal_those_of_a_plain_loop(bert: Path) -> None:
    tokenizer = transformers.AutoTokenizer.from_pretrained(bert)
    expected = one_at_a_time(states_of(bert, BERT_LAYERS), tokenizer, PROTEINS, 0)
    assert difference(embed(bert, PROTEINS).vectors, expected) < TOLERANCE
    with torch.inference_mode():
        first = states_of(bert, 1)(tokenizer(PROTEINS[0], return_tensors="pt")["input_ids"])[:, 0].numpy()
    assert difference(embed(bert, PROTEINS[:1], pool="cls", layer="1").vectors, first) < TOLERANCE


def test_embeddings_of_dnabert_equal_those_of_a_plain_loop_without_padding(dnabert: Path) -> None:
    tokenizer = transformers.AutoTokenizer.from_pretrained(dnabert)
    model = load_model(settings_of({"model": str(dnabert)}), "cpu")
    expected = one_at_a_time(lambda ids: model.hidden_states(ids, torch.ones_like(ids)), tokenizer, BASES, 0)
    assert difference(embed(dnabert, BASES).vectors, expected) < TOLERANCE


def test_embeddings_of_the_file_of_fair_esm_equal_those_of_fair_esm(fair_esm: Path) -> None:
    esm = pytest.importorskip("esm", reason="needs fair-esm: pip install fair-esm==2.0.0")
    from tests.support.tiny_models import loaded_by_fair_esm

    model, alphabet = loaded_by_fair_esm(fair_esm)
    assert isinstance(model, esm.ESM2)
    _, _, tokens = alphabet.get_batch_converter()([("", each) for each in PROTEINS])
    with torch.inference_mode():
        states = model(tokens, repr_layers=[1, ESM_LAYERS])["representations"]
    for layer in (1, ESM_LAYERS):
        expected = [
            row[1 : len(sequence) + 1].mean(0).numpy()
            for row, sequence in zip(states[layer], PROTEINS, strict=True)
        ]
        got = embed(fair_esm, PROTEINS, layer=str(layer)).vectors
        assert difference(got, np.stack(expected)) < TOLERANCE


def test_neither_the_budget_nor_the_order_changes_an_embedding_and_the_same_batches_make_the_same_bytes(
    esm: Path, dnabert: Path
) -> None:
    for model, sequences in ((esm, PROTEINS), (dnabert, BASES)):
        once = embed(model, sequences).vectors
        assert embed(model, sequences).vectors.tobytes() == once.tobytes()
        assert difference(embed(model, sequences, tokens="1").vectors, once) < TOLERANCE
        assert difference(embed(model, sequences, tokens="100").vectors, once) < TOLERANCE
        assert difference(embed(model, sequences[::-1], tokens="100").vectors[::-1], once) < TOLERANCE


def test_float16_and_bfloat16_stay_near_float32_for_a_sequence_as_long_as_esm_reads(esm: Path) -> None:
    """Positions up to 1,000 are more than float16 can tell apart: what depends on them stays in float32."""
    protein = "".join(DICE.choices("ACDEFGHIKLMNPQRSTVWY", k=1000))
    once = embed(esm, [protein]).vectors
    for dtype, tolerance in (("float16", 0.01), ("bfloat16", 0.08)):
        embedded = embed(esm, [protein], dtype=dtype).vectors
        assert embedded.dtype == np.float32
        assert 0 < difference(embedded, once) < tolerance


def test_what_is_longer_than_the_limit_is_cut_before_the_special_tokens_and_counted(esm: Path, bert: Path) -> None:
    cut = embed(esm, ["MKTAYIAK", "MKT", "MKTAY"], **{"max-length": "3"})
    assert cut.truncated == 2
    assert cut.tokens.tolist() == [3, 3, 3]
    assert difference(cut.vectors, embed(esm, ["MKT"] * 3).vectors) < TOLERANCE
    assert embed(bert, ["MKTAYIAKQR" * 40]).tokens.tolist() == [62]


def test_a_model_reads_no_letter_as_another_one(esm: Path) -> None:
    tokenizer = transformers.AutoTokenizer.from_pretrained(esm)
    vocabulary = load_model(settings_of({"model": str(esm)}), "cpu").vocabulary
    letters = "LAGVSERTIDPKQNFYMHWCXBUZO.-"
    (tokens,) = vocabulary.encode([letters])
    assert [*vocabulary.before, *tokens, *vocabulary.after] == tokenizer(letters)["input_ids"]
    (others,) = vocabulary.encode(["J*"])
    assert tokenizer.convert_ids_to_tokens(others) == ["X", "X"]


class SmallMemory:
    """A model that runs out of memory above a number of tokens, and notes the sizes of its batches."""

    def __init__(self, folder: Path, most: int, error: Exception) -> None:
        self._model = load_model(settings_of({"model": str(folder)}), "cpu")
        self._most = most
        self._error = error
        self.sizes: list[int] = []

    def loaded(self) -> LoadedModel:
        return replace(self._model, hidden_states=self._hidden_states)

    def _hidden_states(self, tokens: Any, mask: Any) -> Any:
        self.sizes.append(tokens.numel())
        if tokens.numel() > self._most:
            raise self._error
        return self._model.hidden_states(tokens, mask)


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:121] . DefaultCPUAllocator: can't allocate memory"),
        MemoryError(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_batch_that_does_not_fit_halves_the_budget_for_good_and_changes_no_embedding(
    esm: Path, error: Exception
) -> None:
    small = SmallMemory(esm, 120, error)
    embedder = Embedder(settings_of({"model": str(esm), "tokens": "400"}), "cpu", small.loaded())
    once = embed(esm, PROTEINS).vectors
    assert difference(embed_with(embedder, PROTEINS).vectors, once) < TOLERANCE
    failed = [size for size in small.sizes if size > 120]
    assert len(failed) == 2, small.sizes
    assert embedder.budget <= 120
    small.sizes.clear()
    assert difference(embed_with(embedder, PROTEINS).vectors, once) < TOLERANCE
    assert max(small.sizes) <= 120


def test_a_sequence_that_does_not_fit_alone_fails_by_name_and_length_and_not_for_good(esm: Path) -> None:
    embedder = Embedder(settings_of({"model": str(esm)}), "cpu", SmallMemory(esm, 20, MemoryError()).loaded())
    with pytest.raises(
        UserError, match="record 'long' does not fit into the memory of cpu with 50 tokens"
    ) as caught:
        embedder.embed(["short", "long"], ["MKT", "M" * 50], lambda _: None)
    # An InputError would keep another GPU, with more memory, from trying.
    assert not isinstance(caught.value, InputError)
    assert embed_with(embedder, ["MKT"]).vectors.shape == (1, embedder.width)


def test_another_error_of_the_model_is_not_taken_for_lack_of_memory(esm: Path) -> None:
    def broken(_tokens: Any, _mask: Any) -> Any:
        raise RuntimeError("CUDA error: an illegal memory access was encountered")

    settings = settings_of({"model": str(esm)})
    model = replace(load_model(settings, "cpu"), hidden_states=broken)
    with pytest.raises(RuntimeError, match="illegal memory access"):
        embed_with(Embedder(settings, "cpu", model), PROTEINS)


def test_embeddings_that_are_not_finite_fail_and_say_what_to_do(esm: Path) -> None:
    settings = settings_of({"model": str(esm), "tokens": "1"})
    loaded = load_model(settings, "cpu")

    def overflowing(tokens: Any, mask: Any) -> Any:
        return loaded.hidden_states(tokens, mask) / (tokens.shape[1] > 10)

    model = replace(loaded, hidden_states=overflowing)
    with pytest.raises(UserError, match=r"^2 embeddings are not finite: use dtype=float32 or bfloat16$"):
        embed_with(Embedder(settings, "cpu", model), ["MKT", "MKTAYIAKQRQISFV", "M"])


def test_progress_is_the_share_of_the_tokens_done_up_to_all_of_them(esm: Path) -> None:
    done: list[float] = []
    proteins = ["M" * 4, "M" * 18, "M" * 6]
    Embedder(settings_of({"model": str(esm), "tokens": "1"}), "cpu").embed(proteins, proteins, done.append)
    # With two special tokens each, the longest first.
    assert done == [20 / 34, 28 / 34, 1.0]


def test_no_sequences_have_no_embeddings_and_one_without_a_letter_is_refused(esm: Path, dnabert: Path) -> None:
    assert embed(esm, []).vectors.shape == (0, 32)
    assert embed(dnabert, []).vectors.shape == (0, 24)
    with pytest.raises(InputError, match="record 's1' has no letter to embed; remove it"):
        embed(dnabert, ["ACGT", ""])


def test_dnabert_has_as_many_layers_as_its_configuration_says(dnabert: Path) -> None:
    states = [embed(dnabert, BASES, layer=str(layer)).vectors for layer in range(DNABERT_LAYERS + 1)]
    assert all(difference(some, other) > 0.1 for some, other in pairwise(states))
    assert states[-1].tobytes() == embed(dnabert, BASES).vectors.tobytes()
