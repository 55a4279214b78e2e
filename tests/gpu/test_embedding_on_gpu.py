"""Embeddings on a real GPU: those of a CPU, but for float16, and a memory that runs out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.gpu
torch = pytest.importorskip("torch", reason="needs torch: scripts/venv --group models")

import numpy as np

from tests.support.tiny_models import make_esm
from workers.jobs.embedding.embedder import Embedded, Embedder
from workers.jobs.embedding.settings import settings_of

PROTEINS = ["MKTAYIAKQRQISFVKSHFSRQLEERLGLIEVQ" * 30] * 64
MANY_TOKENS = len(PROTEINS) * len(PROTEINS[0]) * 2


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not torch.cuda.is_available():
        pytest.skip("torch sees no GPU")
    return make_esm(tmp_path_factory.mktemp("models") / "esm2")


def embedder(model: Path, device: str, **options: str) -> Embedder:
    return Embedder(settings_of({"model": str(model), **options}), device)


def embed(embedder: Embedder) -> Embedded:
    return embedder.embed([str(number) for number in range(len(PROTEINS))], PROTEINS, lambda _: None)


def least_cosine(some: Any, others: Any) -> float:
    lengths = np.linalg.norm(some, axis=1) * np.linalg.norm(others, axis=1)
    return float(((some * others).sum(axis=1) / lengths).min())


def test_a_gpu_computes_in_float16_what_a_cpu_computes_in_float32(model: Path) -> None:
    on_gpu = embedder(model, "cuda:0")
    assert on_gpu.dtype == "float16"
    assert least_cosine(embed(on_gpu).vectors, embed(embedder(model, "cpu")).vectors) > 0.999


def test_when_the_memory_runs_out_smaller_batches_give_the_same(model: Path) -> None:
    plain = embed(embedder(model, "cuda:0", dtype="float32")).vectors
    greedy = embedder(model, "cuda:0", dtype="float32", tokens=str(MANY_TOKENS))
    total_bytes = torch.cuda.get_device_properties("cuda:0").total_memory
    torch.cuda.set_per_process_memory_fraction((torch.cuda.memory_allocated() + (64 << 20)) / total_bytes)
    try:
        vectors = embed(greedy).vectors
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert greedy.budget < MANY_TOKENS
    assert np.abs(vectors - plain).max() < 1e-3
