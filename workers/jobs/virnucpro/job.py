"""The job "virnucpro": which sequences of a file are viral. Imports torch, so for workers alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from virnucpro_bus.errors import UserError
from workers.inputs.names import stem_of
from workers.jobs.embedding.embedder import Embedded, Embedder
from workers.jobs.embedding.formats import write_pt
from workers.jobs.interface import JobContext
from workers.jobs.virnucpro.classifier import read_classifier
from workers.jobs.virnucpro.frames import Frame, check_records, frame_blocks
from workers.jobs.virnucpro.result_files import result_files
from workers.jobs.virnucpro.settings import settings_of

BLOCK_FRAMES = 10_000
"""Frames that are embedded together: enough to fill batches of equal lengths, and 130 MB of features."""


class VirNucPro:
    """The job, with its three models loaded."""

    def __init__(self, context: JobContext) -> None:
        """Load the models that the options name. Raises UserError if one cannot be, or they do not fit."""
        self._settings = settings_of(context.options)
        # First, because it takes least time to refuse.
        self._classifier = read_classifier(self._settings.classifier).to(context.device)
        self._dnabert = Embedder(self._settings.dnabert, context.device)
        self._esm = Embedder(self._settings.esm, context.device)
        self._settings.check_widths(self._dnabert.width, self._esm.width, self._classifier.width)

    def __call__(self, input: Path, output: Path, context: JobContext) -> int:
        """Write the result files of `input` into `output`; return the number of its records.

        Raises InputError for a file that is not one of nucleotides, and UserError as `Embedder.embed` does.
        """
        records, doubt = check_records(input)
        stem, truncated = stem_of(input), 0
        kept: list[tuple[list[Frame], Embedded, Embedded]] = []
        with result_files(output, stem) as predictions:
            for frames in frame_blocks(input, self._settings.chunk, BLOCK_FRAMES):
                dna, proteins = self._embed(frames, records, context)
                scores = self._classifier.score(merge_features(dna.vectors, proteins.vectors))
                if not np.isfinite(scores).all():
                    raise UserError("the classifier's scores are not finite; its file is damaged")
                predictions.add([frame.name for frame in frames], scores)
                truncated += proteins.truncated
                if self._settings.keeps_embeddings:
                    kept.append((frames, dna, proteins))
        if self._settings.keeps_embeddings:
            self._write_embeddings(output, stem, kept)
        self._warn(context, doubt, truncated)
        return records

    def _embed(self, frames: Sequence[Frame], records: int, context: JobContext) -> tuple[Embedded, Embedded]:
        """Return the embeddings of the frames' bases and residues, and report progress in records."""
        names = [frame.name for frame in frames]
        first, last = frames[0].record, frames[-1].record
        of_dna = self._dnabert.parameters / (self._dnabert.parameters + self._esm.parameters)

        def report(share: float) -> None:
            # A record may go on in the next block, so that the last one is not counted here.
            context.progress(first + int((last - first) * share), records)

        dna = self._dnabert.embed(names, [frame.bases for frame in frames], lambda share: report(share * of_dna))
        proteins = self._esm.embed(
            names, [frame.residues for frame in frames], lambda share: report(of_dna + share * (1 - of_dna))
        )
        return dna, proteins

    def _write_embeddings(
        self, output: Path, stem: str, kept: Sequence[tuple[list[Frame], Embedded, Embedded]]
    ) -> None:
        names = [frame.name for frames, _, _ in kept for frame in frames]
        for embedder, parts in (
            (self._settings.dnabert, [dna for _, dna, _ in kept]),
            (self._settings.esm, [proteins for _, _, proteins in kept]),
        ):
            if parts:
                write_pt(output, stem, names, _join(parts), embedder.model.kind)

    def _warn(self, context: JobContext, doubt: str | None, truncated: int) -> None:
        doubts = [] if doubt is None else [doubt]
        if truncated:
            limit = self._settings.esm.max_length
            doubts.append(f"{truncated} frames are longer than {limit} residues and were cut; use shorter chunks")
        if doubts:
            context.warn("; ".join(doubts))


def merge_features(dna: Any, proteins: Any) -> Any:
    """Return the features of each frame: its embeddings by DNABERT-S and then by ESM-2; NumPy arrays, by frame."""
    return np.concatenate([dna, proteins], axis=1)


def _join(parts: Sequence[Embedded]) -> Embedded:
    return Embedded(
        np.concatenate([part.vectors for part in parts]),
        np.concatenate([part.tokens for part in parts]),
        sum(part.truncated for part in parts),
    )
