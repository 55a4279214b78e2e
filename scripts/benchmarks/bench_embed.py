"""Benchmark of the job `embed` on a CPU, against plain loops of transformers over the same model and proteins.

The model is an ESM-2 of the smallest published shape, with random weights. The proteins are the pieces between
stop codons of the six frames of phage lambda. Seconds are those of one core, so that other programs on the machine
count less. One sequence is enough to keep a core busy: here batches save padding and calls, and what they save on
a GPU remains to be seen. Needs the extra `models`; without it there are no rows.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from itertools import product
from pathlib import Path
from time import process_time
from typing import Any

from workload import middle, row

LAMBDA = Path(__file__).parents[2] / "tests" / "data" / "sample" / "lambda_virus.fa"
LEAST_RESIDUES = 30
EVERY = 6
"""One of so many proteins is used."""
BATCH = 16
ROUNDS = 3
RESIDUES = "FFLLSSSSYY**CC*WLLLLPPPPHHQQRRRRIIIMTTTTNNKKSSRRVVVVAAAADDEEGGGG"
CODON = dict(zip(map("".join, product("TCAG", repeat=3)), RESIDUES, strict=True))


def measure() -> list[dict[str, Any]]:
    """Measure all in turn, in one thread."""
    if find_spec("torch") is None or find_spec("transformers") is None:
        print("  left out: needs torch and transformers: pip install 'virnucpro-bus[models]'")
        return []
    import torch

    torch.set_num_threads(1)
    proteins = list(_proteins(LAMBDA))[::EVERY]
    with tempfile.TemporaryDirectory() as name:
        folder = _make_model(Path(name))
        job = _job(folder)
        plain = _plain_loop(folder)
        ways: list[Callable[[], Any]] = [
            lambda: job(proteins),
            lambda: plain(proteins, BATCH),
            lambda: plain(proteins, 1),
        ]
        vectors = [way() for way in ways]  # also warms up
        difference = max(float((torch.from_numpy(vectors[0]) - other).abs().max()) for other in vectors[1:])
        seconds = [[_core_seconds(way) / len(proteins) for way in ways] for _ in range(ROUNDS)]
    ours, batches, single = map(list, zip(*seconds, strict=True))
    return [
        row(f"embed, {len(proteins)} proteins", 1 / middle(ours), "sequences/s"),
        row(f"plain loop, batches of {BATCH} in file order", 1 / middle(batches), "sequences/s"),
        row("plain loop, one at a time", 1 / middle(single), "sequences/s"),
        row("embed / batches in file order", middle(_ratios(batches, ours)), "x", ">= 2"),
        row("embed / one at a time", middle(_ratios(single, ours)), "x", ">= 1"),
        row("padding of embed", 100 * _padding(_batches_of_job(proteins)), "%", "<= 20"),
        row("padding in file order", 100 * _padding(_in_order(list(map(len, proteins)), BATCH)), "%"),
        row("largest difference between their embeddings", difference, "", "<= 0.00001"),
    ]


def _core_seconds(action: Callable[[], object]) -> float:
    started = process_time()
    action()
    return process_time() - started


def _ratios(some: Sequence[float], others: Sequence[float]) -> list[float]:
    return [a / b for a, b in zip(some, others, strict=True)]


def _proteins(fasta: Path) -> Iterator[str]:
    """Yield the pieces without a stop codon of all six frames, in their order."""
    bases = "".join(line for line in fasta.read_text().splitlines() if not line.startswith(">"))
    for strand in (bases, bases.translate(str.maketrans("ACGT", "TGCA"))[::-1]):
        for frame in range(3):
            codons = (strand[at : at + 3] for at in range(frame, len(strand) - 2, 3))
            pieces = "".join(CODON.get(codon, "X") for codon in codons).split("*")
            yield from (piece for piece in pieces if len(piece) >= LEAST_RESIDUES)


def _make_model(folder: Path) -> Path:
    from transformers import EsmConfig, EsmModel, EsmTokenizer

    from workers.jobs.embedding.fair_esm import ALPHABET

    (folder / "vocab.txt").write_text("\n".join(ALPHABET))
    EsmTokenizer(str(folder / "vocab.txt")).save_pretrained(folder)
    config = EsmConfig(
        vocab_size=len(ALPHABET),
        hidden_size=320,
        num_hidden_layers=6,
        num_attention_heads=20,
        intermediate_size=1280,
        position_embedding_type="rotary",
        token_dropout=True,
        pad_token_id=1,
        mask_token_id=32,
    )
    EsmModel(config, add_pooling_layer=False).save_pretrained(folder)
    return folder


def _job(folder: Path) -> Callable[[Sequence[str]], Any]:
    from workers.jobs.embedding.embedder import Embedder
    from workers.jobs.embedding.settings import settings_of

    embedder = Embedder(settings_of({"model": str(folder)}), "cpu")
    return lambda proteins: embedder.embed(proteins, proteins, lambda _: None).vectors


def _plain_loop(folder: Path) -> Callable[[Sequence[str], int], Any]:
    import torch
    from transformers import AutoModel, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModel.from_pretrained(folder, add_pooling_layer=False).eval()

    def embed(proteins: Sequence[str], size: int) -> Any:
        vectors = []
        for at in range(0, len(proteins), size):
            batch = proteins[at : at + size]
            coded = tokenizer(list(batch), return_tensors="pt", padding=True, truncation=True, max_length=1024)
            with torch.inference_mode():
                states = model(**coded).last_hidden_state
            ends = coded["attention_mask"].sum(1) - 1
            vectors += [row[1:end].mean(0) for row, end in zip(states, ends, strict=True)]
        return torch.stack(vectors)

    return embed


def _batches_of_job(proteins: Sequence[str]) -> list[list[int]]:
    """Return the lengths in tokens of the sequences of each batch."""
    from workers.jobs.embedding.batching import Batches, TokenBudget
    from workers.jobs.embedding.embedder import CPU_BUDGET
    from workers.jobs.embedding.model_files import ESM_MAX_LENGTH, SPECIAL_TOKENS

    lengths = [min(len(each), ESM_MAX_LENGTH) + SPECIAL_TOKENS for each in proteins]
    batches = Batches(lengths, TokenBudget(CPU_BUDGET))
    return [[lengths[index] for index in batch] for batch in iter(batches.take, ())]


def _in_order(lengths: Sequence[int], size: int) -> list[list[int]]:
    return [list(lengths[at : at + size]) for at in range(0, len(lengths), size)]


def _padding(batches: Sequence[Sequence[int]]) -> float:
    """Return the share of padding in all that is computed."""
    computed = sum(max(batch) * len(batch) for batch in batches)
    return 1 - sum(map(sum, batches)) / computed
