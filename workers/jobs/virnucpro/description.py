"""The job "virnucpro" as it is known before a run: its options, without any framework."""

from __future__ import annotations

from workers.jobs.named_job import JobOption, NamedJob
from workers.jobs.requirements import MODELS

VIRNUCPRO = NamedJob(
    summary="VirNucPro: which sequences are viral, by six frames, DNABERT-S, ESM-2 and its classifier",
    target="workers.jobs.virnucpro.job:VirNucPro",
    options=(
        JobOption("esm", "folder of ESM-2, or fair-esm's .pt file", required=True),
        JobOption("dnabert", "folder of DNABERT-S", required=True),
        JobOption("classifier", "VirNucPro's classifier: .safetensors, or its .pth file", required=True),
    ),
    requires=MODELS,
    reads_nucleotides=True,
)
