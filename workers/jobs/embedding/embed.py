"""The job "embed": one embedding for each sequence of a file. Imports torch, so for workers alone."""

from __future__ import annotations

from pathlib import Path

from workers.inputs.names import stem_of
from workers.jobs.embedding.embedder import Embedder
from workers.jobs.embedding.formats import describe_model, write_npz, write_pt
from workers.jobs.embedding.reading import read_sequences
from workers.jobs.embedding.settings import format_of, settings_of
from workers.jobs.interface import JobContext


class Embed:
    """The job, with its model loaded."""

    def __init__(self, context: JobContext) -> None:
        """Load the model that the options name. Raises UserError if it cannot be loaded."""
        self._settings = settings_of(context.options)
        self._format = format_of(context.options, self._settings)
        self._embedder = Embedder(self._settings, context.device)
        self._about = describe_model(self._settings, self._embedder.dtype)

    def __call__(self, input: Path, output: Path, context: JobContext) -> int:
        """Write the embeddings of `input` into `output`; return the number of sequences.

        Raises UserError as `read_sequences` and `Embedder.embed` do. Warns of what was cut, and of doubtful
        names and letters.
        """
        kind = self._settings.model.kind
        names, sequences, doubt = read_sequences(input, kind)
        count = len(names)
        embedded = self._embedder.embed(
            names, sequences, lambda share: context.progress(int(share * count), count)
        )
        stem = stem_of(input)
        if self._format == "pt":
            write_pt(output, stem, names, embedded, kind)
        else:
            write_npz(output, stem, names, [len(each) for each in sequences], embedded, self._about)
        doubts = [] if doubt is None else [doubt]
        if embedded.truncated:
            limit = self._settings.max_length
            doubts.append(f"{embedded.truncated} of {count} sequences are longer than {limit} tokens and were cut")
        if doubts:
            context.warn("; ".join(doubts))
        return count
