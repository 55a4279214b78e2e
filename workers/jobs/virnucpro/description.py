"""The job "virnucpro" as it is known before a run: its options and their checks, without any framework."""

from __future__ import annotations

from pathlib import Path

from virnucpro_bus.errors import UserError
from workers.jobs.named_job import JobOption, NamedJob, Options
from workers.jobs.requirements import MODELS
from workers.jobs.sequence_file import nucleotide_records
from workers.jobs.sixframe import DEFAULT_CHUNK
from workers.jobs.virnucpro.predictions import PREDICTIONS
from workers.jobs.virnucpro.settings import KEEP_EMBEDDINGS, settings_of


def _bases(path: Path, _: Options) -> float:
    """Return the number of bases in a file; 0 for one that fails at once."""
    try:
        return float(sum(len(sequence) for _, sequence in nucleotide_records(path)))
    except UserError:
        return 0.0


VIRNUCPRO = NamedJob(
    summary="VirNucPro: which sequences are viral, by six frames, DNABERT-S, ESM-2 and its classifier",
    target="workers.jobs.virnucpro.job:VirNucPro",
    options=(
        JobOption("esm", "folder of ESM-2, or fair-esm's .pt file", required=True),
        JobOption("dnabert", "folder of DNABERT-S", required=True),
        JobOption("classifier", "VirNucPro's classifier: .safetensors, or its .pth file", required=True),
        JobOption(
            "chunk", "length of the chunks in bases, as the classifier was trained for", default=str(DEFAULT_CHUNK)
        ),
        JobOption("dtype", "float32, float16, bfloat16, or auto: float16 on a GPU", default="auto"),
        JobOption("tokens", "tokens of a batch with padding, or auto: by the device", default="auto"),
        JobOption("keep", f"{KEEP_EMBEDDINGS}: keeps them, as VirNucPro's own files"),
    ),
    check=settings_of,
    requires=MODELS,
    estimate=_bases,
    merge=PREDICTIONS,
    reads="nucleotides",
)
