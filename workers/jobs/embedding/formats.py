"""Embeddings in a file: an archive of arrays for NumPy, or the layouts in which VirNucPro keeps its own.

The same embeddings make the same bytes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers

from virnucpro_bus.text import visible
from workers.jobs.embedding.embedder import Embedded
from workers.jobs.embedding.model_files import CONFIG, ModelFiles, ModelKind
from workers.jobs.embedding.settings import Settings

LAYOUT = 1
"""The number of this layout of .npz, in its `about`."""


def describe_model(settings: Settings, dtype: str) -> dict[str, Any]:
    """Return what embeddings are made with, as JSON takes it: files can be compared where it is equal."""
    model = settings.model
    return {
        "layout": LAYOUT,
        "model": visible(model.path.resolve().name),
        "kind": str(model.kind),
        "config_sha256": _digest_of_config(model),
        "weights_bytes": {visible(file.name): file.stat().st_size for file in model.weights},
        "pool": settings.pool,
        "layer": settings.layer,
        "dtype": dtype,
        "max_length": settings.max_length,
        "versions": {
            "virnucpro-bus": version("virnucpro-bus"),
            "torch": str(torch.__version__),
            "transformers": transformers.__version__,
        },
    }


def _digest_of_config(model: ModelFiles) -> str | None:
    if model.kind is ModelKind.FAIR_ESM:
        return None  # it has no configuration of its own
    return hashlib.sha256((model.path / CONFIG).read_bytes()).hexdigest()


def write_npz(
    folder: Path,
    stem: str,
    names: Sequence[str],
    lengths: Sequence[int],
    embedded: Embedded,
    about: dict[str, Any],
) -> None:
    """Write STEM.npz: `ids`, `embeddings`, `tokens`, `lengths`, and `about`, a JSON object."""
    np.savez(
        folder / f"{stem}.npz",
        ids=np.array(names, dtype=np.str_),
        embeddings=embedded.vectors,
        tokens=embedded.tokens,
        lengths=np.array(lengths, np.int64),
        about=np.array(json.dumps(about | {"truncated": embedded.truncated}, sort_keys=True)),
    )


def write_pt(folder: Path, stem: str, names: Sequence[str], embedded: Embedded, kind: ModelKind) -> None:
    """Write STEM_ESM.pt or STEM_DNABERT_S.pt as VirNucPro itself does, for its own stage that merges them."""
    vectors = torch.from_numpy(embedded.vectors)
    content: dict[str, list[Any]]
    if kind is ModelKind.DNABERT:
        name = f"{stem}_DNABERT_S.pt"
        rows = zip(names, vectors.tolist(), strict=True)
        data = [{"label": label, "mean_representation": row} for label, row in rows]
        content = {"nucleotide": list(names), "data": data}
    else:
        name = f"{stem}_ESM.pt"
        # Copies, because a slice is stored with all that it is a slice of.
        content = {"proteins": list(names), "data": [row.clone() for row in vectors]}
    torch.save(content, folder / name)
