"""The two result files of an input, in the form that VirNucPro gives them: scores of frames, verdicts on chunks.

    STEM.prediction_results.txt               Sequence_ID  Prediction  score1  score2     one row per frame
    STEM.prediction_results_highestscore.csv  Modified_ID  Is_Virus                       one row per chunk

Both are separated by tabs. A frame is viral if its second score is the greater one; a chunk is, if the greatest
second score of its frames is at least the greatest first one.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from virnucpro_bus.text import spreadsheet_safe

FRAMES_SUFFIX = ".prediction_results.txt"
CHUNKS_SUFFIX = ".prediction_results_highestscore.csv"
FRAME_COLUMNS = ("Sequence_ID", "Prediction", "score1", "score2")
CHUNK_COLUMNS = ("Modified_ID", "Is_Virus")
_FRAME_CHARACTERS = 2
"""The last ones of a frame's name are strand and frame, such as "R2"; what is before them names the chunk."""


def chunk_of(frame: str) -> str:
    """Return the name of the chunk that a frame is of."""
    return frame[:-_FRAME_CHARACTERS]


class Predictions:
    """Collects the scores of one input: writes those of frames at once, and keeps the greatest of each chunk."""

    def __init__(self, frames: IO[str]) -> None:
        """`frames` is the file that gets the rows of frames."""
        self._frames = table_writer(frames)
        self._frames.writerow(FRAME_COLUMNS)
        self._greatest: dict[str, tuple[float, float]] = {}

    def add(self, names: Sequence[str], scores: Any) -> None:
        """Add the frames called `names`, with their scores: a NumPy array, float32 of shape (frames, 2)."""
        for name, (other, virus) in zip(names, scores, strict=True):
            label = "virus" if virus > other else "others"
            self._frames.writerow((spreadsheet_safe(name), label, str(other), str(virus)))
            chunk = chunk_of(name)
            most_other, most_virus = self._greatest.get(chunk, (other, virus))
            self._greatest[chunk] = max(most_other, other), max(most_virus, virus)

    def write_chunks(self, chunks: IO[str]) -> None:
        """Write the rows of all chunks, by name."""
        table = table_writer(chunks)
        table.writerow(CHUNK_COLUMNS)
        for chunk, (other, virus) in sorted(self._greatest.items()):
            table.writerow((spreadsheet_safe(chunk), bool(virus >= other)))


@contextmanager
def result_files(output: Path, stem: str) -> Iterator[Predictions]:
    """Yield what takes an input's scores, and write both files into `output` by the end of the block."""
    with (output / f"{stem}{FRAMES_SUFFIX}").open("w", encoding="utf-8", newline="") as frames:
        predictions = Predictions(frames)
        yield predictions
    with (output / f"{stem}{CHUNKS_SUFFIX}").open("w", encoding="utf-8", newline="") as chunks:
        predictions.write_chunks(chunks)


def table_writer(file: IO[str]) -> Any:
    """Return a csv writer of rows that are separated by tabs; only a cell that has quotes in it is quoted."""
    return csv.writer(file, dialect="excel-tab", lineterminator="\n")
