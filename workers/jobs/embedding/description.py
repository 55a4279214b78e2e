"""The job "embed" as it is known before a run: its options, without any framework."""

from __future__ import annotations

from workers.jobs.named_job import JobOption, NamedJob
from workers.jobs.requirements import MODELS

EMBED = NamedJob(
    summary="one embedding for each sequence, by ESM-2, DNABERT-2/-S or another BERT in a local folder",
    target="workers.jobs.embedding.embed:Embed",
    options=(JobOption("model", "folder of the model, or fair-esm's .pt file", required=True),),
    requires=MODELS,
)
