"""The open frames of a file of nucleotides, in blocks: what both models read of it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from workers.jobs.record_names import RecordNames
from workers.jobs.sequence_file import nucleotide_records
from workers.jobs.sixframe import open_frames


class Frame(NamedTuple):
    """An open frame of a chunk."""

    record: int
    """The number of its record in the file, from 0."""
    name: str
    """Names of record, chunk and frame, as upstream writes it: "contig7_chunk_3R2"."""
    bases: str
    residues: str


def check_records(path: Path) -> tuple[int, str | None]:
    """Read the whole file; return the number of its records, and what is doubtful of their names in one line.

    None: nothing is. Raises as `nucleotide_records` does.
    """
    names, records = RecordNames(), 0
    for name, _ in nucleotide_records(path):
        names.add([name])
        records += 1
    return records, names.problem


def frame_blocks(path: Path, chunk: int, size: int) -> Iterator[list[Frame]]:
    """Yield the open frames of chunks of `chunk` bases in the order of the file, at most `size` at a time."""
    frames = _frames(path, chunk)
    while block := list(islice(frames, size)):
        yield block


def _frames(path: Path, chunk: int) -> Iterator[Frame]:
    for record, (name, sequence) in enumerate(nucleotide_records(path)):
        (frames,) = open_frames([sequence], chunk)
        for place, bases, residues in frames:
            yield Frame(record, f"{name.decode()}_chunk_{place.decode()}", bases.decode(), residues.decode())
