"""The names of sequence files: their suffixes, what these show of the content, and what is left without them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal, get_args

Reads = Literal["nucleotides", "proteins", "both"]
"""What a job reads; "both" also where that is unknown."""
READS: tuple[Reads, ...] = get_args(Reads)
READS_EXPECTED = "must be nucleotides, proteins or both"
EITHER_SUFFIXES = (".fa", ".fasta", ".fas", ".fsa")
"""Of files that may contain nucleotides or proteins."""
NUCLEOTIDE_SUFFIXES = (".fna", ".ffn", ".frn", ".fq", ".fastq")
PROTEIN_SUFFIXES = (".faa", ".mpfa")
_SEQUENCE_SUFFIXES = EITHER_SUFFIXES + NUCLEOTIDE_SUFFIXES + PROTEIN_SUFFIXES
COMPRESSION_SUFFIXES = (".gz", ".bgz", ".bz2", ".xz", ".zst")
MAX_STEM_BYTES = 241
"""A file name has at most 255 bytes: this leaves room for ".nucleotide.fa"."""
CUT_STEM_BYTES = 200
"""What is left of a longer stem, with room for the suffixes of other jobs."""


def stem_of(path: Path) -> str:
    """Return the name without the suffix of a compression and then one more: "reads" for reads.fa.gz. Never empty.

    More than `MAX_STEM_BYTES` are cut to `CUT_STEM_BYTES`, at the end of a character.
    """
    return stem_of_name(path.name)


def stem_of_name(name: str) -> str:
    """Return what `stem_of` returns for a file of this base name."""
    stem, _ = _split_suffix(_decompressed(name))
    # A character has four bytes at most, and nearly every name is shorter than that.
    if len(stem) > MAX_STEM_BYTES // 4 and len(os.fsencode(stem)) > MAX_STEM_BYTES:
        while len(os.fsencode(stem)) > CUT_STEM_BYTES:
            stem = stem[:-1]
    return stem


def is_compressed_name(name: str) -> bool:
    """Whether a file called `name` is compressed."""
    return name.lower().endswith(COMPRESSION_SUFFIXES)


def suffixes_of(reads: Reads) -> tuple[str, ...]:
    """Return the suffixes of sequence files that a job reads: all but those that can only be of the other kind."""
    other = {"nucleotides": PROTEIN_SUFFIXES, "proteins": NUCLEOTIDE_SUFFIXES, "both": ()}[reads]
    return tuple(suffix for suffix in _SEQUENCE_SUFFIXES if suffix not in other)


def has_suffix(name: str, suffixes: tuple[str, ...]) -> bool:
    """Whether `name` ends with one of `suffixes`, in either case, also where that of a compression follows."""
    # Nearly every one is not compressed.
    return name.lower().endswith(suffixes) or _decompressed(name).lower().endswith(suffixes)


def is_sequence_name(name: str) -> bool:
    """Whether a file called `name` contains sequences."""
    return has_suffix(name, _SEQUENCE_SUFFIXES)


def is_protein_name(name: str) -> bool:
    """Whether a file called `name` contains sequences of proteins."""
    return has_suffix(name, PROTEIN_SUFFIXES)


def _decompressed(name: str) -> str:
    """Return the name without the suffix of a compression, unless it is nothing else."""
    if not is_compressed_name(name):
        return name
    stem, suffix = _split_suffix(name)
    return stem if suffix.lower() in COMPRESSION_SUFFIXES else name


def _split_suffix(name: str) -> tuple[str, str]:
    """Return what os.path.splitext does for a base name, in a third of the time: it is asked of a million."""
    stem, dot, suffix = name.rpartition(".")
    # Dots that a name begins with are part of the stem.
    return (stem, dot + suffix) if stem.strip(".") else (name, "")
