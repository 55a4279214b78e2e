"""The names of sequence files: their suffixes, and what is left without them."""

from __future__ import annotations

import os
from pathlib import Path

SEQUENCE_SUFFIXES = (".fa", ".fasta", ".fna", ".faa", ".fas", ".ffn", ".fq", ".fastq")


def stem_of(path: Path) -> str:
    """Return the file name without ".gz" and then without one suffix: "reads" for reads.fa.gz. Never empty."""
    name = path.name
    if is_gz(name) and len(name) > len(".gz"):
        name = name[: -len(".gz")]
    return os.path.splitext(name)[0]


def is_gz(name: str) -> bool:
    """Whether a file called `name` is compressed by gzip."""
    return name.lower().endswith(".gz")


def is_sequence_name(name: str) -> bool:
    """Whether a file called `name` is taken when its folder is given; hidden files are not."""
    plain = name.lower().removesuffix(".gz")
    return not name.startswith(".") and plain.endswith(SEQUENCE_SUFFIXES)
