"""The job "embed" as it is known before a run: its options and their checks, without any framework."""

from __future__ import annotations

from pathlib import Path

from workers.inputs.names import Reads
from workers.jobs.embedding.model_files import ModelKind
from workers.jobs.embedding.settings import format_of, settings_of
from workers.jobs.named_job import JobOption, NamedJob, Options
from workers.jobs.requirements import MODELS


def _check(options: Options) -> None:
    format_of(options, settings_of(options))


def _reads(options: Options) -> Reads:
    kind = settings_of(options).model.kind
    if kind is ModelKind.DNABERT:
        return "nucleotides"
    return "proteins" if kind.is_esm else "both"


def _estimate(path: Path, options: Options) -> float:
    # Read only in the process that estimates: the reader loads decompressors.
    from workers.jobs.embedding.reading import estimate_tokens

    return estimate_tokens(path, settings_of(options))


EMBED = NamedJob(
    summary="one embedding for each sequence, by ESM-2, DNABERT-2/-S or another BERT in a local folder",
    target="workers.jobs.embedding.embed:Embed",
    options=(
        JobOption("model", "folder of the model, or fair-esm's .pt file", required=True),
        JobOption(
            "pool", "mean of the tokens of the sequence, mean-all (special ones too) or cls", default="by model"
        ),
        JobOption("layer", "number of the layer whose states are pooled; -1: the last", default="-1"),
        JobOption("dtype", "float32, float16, bfloat16, or auto: float16 on a GPU", default="auto"),
        JobOption("tokens", "tokens of a batch with padding, or auto: by the device", default="auto"),
        JobOption("max-length", "tokens read of a sequence, without special ones", default="by model"),
        JobOption("format", "npz, or pt: the layout of VirNucPro's own files", default="npz"),
    ),
    check=_check,
    requires=MODELS,
    estimate=_estimate,
    reads=_reads,
)
