"""Benchmark of the job `embed` against plain loops of transformers over the same model and proteins.

On a CPU the model is an ESM-2 of the smallest published shape, on a GPU one of 3B parameters in float16, both with
random weights. The proteins are the pieces between stop codons of the six frames of phage lambda. On a CPU seconds
are those of one core, so that other programs on the machine count less; one sequence keeps a core busy already,
so that batches save padding and calls alone. Needs the extra `models`; without it there are no rows.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from itertools import product
from pathlib import Path
from time import perf_counter, process_time
from typing import Any, NamedTuple

from workload import middle, row

LAMBDA = Path(__file__).parents[2] / "tests" / "data" / "sample" / "lambda_virus.fa"
LEAST_RESIDUES = 30
BATCH = 16
ROUNDS = 3
RESIDUES = "FFLLSSSSYY**CC*WLLLLPPPPHHQQRRRRIIIMTTTTNNKKSSRRVVVVAAAADDEEGGGG"
CODON = dict(zip(map("".join, product("TCAG", repeat=3)), RESIDUES, strict=True))


class Place(NamedTuple):
    """Where the model runs, of which shape it is, and how seconds are taken."""

    device: str
    dtype: str
    layers: int
    width: int
    heads: int
    every: int
    """One of so many proteins is used."""
    seconds: Callable[[], float]


CPU = Place("cpu", "float32", 6, 320, 20, 6, process_time)
GPU = Place("cuda:0", "float16", 36, 2560, 40, 1, perf_counter)


def measure() -> list[dict[str, Any]]:
    """Measure all in turn, in one thread."""
    if find_spec("torch") is None or find_spec("transformers") is None:
        print("  left out: needs torch and transformers: pip install 'virnucpro-bus[models]'")
        return []
    import torch

    torch.set_num_threads(1)
    place = GPU if torch.cuda.is_available() else CPU
    proteins = list(_proteins(LAMBDA))[:: place.every]
    with tempfile.TemporaryDirectory() as name:
        folder = _make_model(Path(name), place)
        job, plain = _job(folder, place), _plain_loop(folder, place)
        ways: list[Callable[[], Any]] = [
            lambda: job(proteins),
            lambda: plain(proteins, BATCH),
            lambda: plain(proteins, 1),
        ]
        vectors = [way() for way in ways]  # also warms up
        difference = max(float((torch.from_numpy(vectors[0]) - other).abs().max()) for other in vectors[1:])
        seconds = [[_seconds(way, place) / len(proteins) for way in ways] for _ in range(ROUNDS)]
    ours, batches, single = map(list, zip(*seconds, strict=True))
    tokens = sum(map(len, proteins)) / len(proteins)
    return [
        row(f"embed, {len(proteins)} proteins on {place.device}", 1 / middle(ours), "sequences/s"),
        row("embed", tokens / middle(ours), "residues/s"),
        row(f"plain loop, batches of {BATCH} in file order", 1 / middle(batches), "sequences/s"),
        row("plain loop, one at a time", 1 / middle(single), "sequences/s"),
        row("embed / batches in file order", middle(_ratios(batches, ours)), "x", ">= 2"),
        row("embed / one at a time", middle(_ratios(single, ours)), "x", ">= 4"),
        row("padding of embed", 100 * _padding(_batches_of_job(proteins, place)), "%", "<= 20"),
        row("padding in file order", 100 * _padding(_in_order(list(map(len, proteins)), BATCH)), "%"),
        row("largest difference of embeddings", difference, "", "<= 0.00001" if place is CPU else ""),
    ]


def _seconds(action: Callable[[], object], place: Place) -> float:
    started = place.seconds()
    action()
    return place.seconds() - started


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


def _make_model(folder: Path, place: Place) -> Path:
    import torch
    import transformers
    from transformers import EsmConfig, EsmModel, EsmTokenizer

    from workers.jobs.embedding.fair_esm import ALPHABET

    (folder / "vocab.txt").write_text("\n".join(ALPHABET))
    EsmTokenizer(str(folder / "vocab.txt")).save_pretrained(folder)
    config = EsmConfig(
        vocab_size=len(ALPHABET),
        hidden_size=place.width,
        num_hidden_layers=place.layers,
        num_attention_heads=place.heads,
        intermediate_size=4 * place.width,
        position_embedding_type="rotary",
        token_dropout=True,
        pad_token_id=1,
        mask_token_id=32,
    )
    transformers.utils.logging.disable_progress_bar()
    with torch.device(place.device):
        model = EsmModel(config, add_pooling_layer=False)
    model.to(getattr(torch, place.dtype)).save_pretrained(folder)
    return folder


def _job(folder: Path, place: Place) -> Callable[[Sequence[str]], Any]:
    from workers.jobs.embedding.embedder import Embedder
    from workers.jobs.embedding.settings import settings_of

    embedder = Embedder(settings_of({"model": str(folder)}), place.device)
    return lambda proteins: embedder.embed(proteins, proteins, lambda _: None).vectors


def _plain_loop(folder: Path, place: Place) -> Callable[[Sequence[str], int], Any]:
    import torch
    from transformers import AutoModel, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModel.from_pretrained(folder, add_pooling_layer=False, dtype=getattr(torch, place.dtype))
    model = model.to(place.device).eval()

    def embed(proteins: Sequence[str], size: int) -> Any:
        vectors = []
        for at in range(0, len(proteins), size):
            batch = proteins[at : at + size]
            coded = tokenizer(list(batch), return_tensors="pt", padding=True, truncation=True, max_length=1024)
            with torch.inference_mode():
                states = model(**coded.to(place.device)).last_hidden_state.float().cpu()
            ends = coded["attention_mask"].sum(1).cpu() - 1
            vectors += [row[1:end].mean(0) for row, end in zip(states, ends, strict=True)]
        return torch.stack(vectors)

    return embed


def _batches_of_job(proteins: Sequence[str], place: Place) -> list[list[int]]:
    """Return the lengths in tokens of the sequences of each batch."""
    from workers.jobs.embedding.batching import Batches, TokenBudget
    from workers.jobs.embedding.embedder import default_budget
    from workers.jobs.embedding.model_files import ESM_MAX_LENGTH, SPECIAL_TOKENS

    lengths = [min(len(each), ESM_MAX_LENGTH) + SPECIAL_TOKENS for each in proteins]
    batches = Batches(lengths, TokenBudget(default_budget(place.device)))
    return [[lengths[index] for index in batch] for batch in iter(batches.take, ())]


def _in_order(lengths: Sequence[int], size: int) -> list[list[int]]:
    return [list(lengths[at : at + size]) for at in range(0, len(lengths), size)]


def _padding(batches: Sequence[Sequence[int]]) -> float:
    """Return the share of padding in all that is computed."""
    computed = sum(max(batch) * len(batch) for batch in batches)
    return 1 - sum(map(sum, batches)) / computed
