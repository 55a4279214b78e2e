"""Sequence files on disk, plain or compressed by gzip, bzip2, xz or zstd."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from xopen import xopen

from virnucpro_bus.errors import InputError, UserError
from virnucpro_bus.text import visible
from workers.inputs.names import is_protein_name
from workers.jobs.fasta import AMINO_ACIDS, NUCLEOTIDES, Alphabet, Record, read_records, split_records

_BLOCK_BYTES = 1 << 18


def nucleotide_records(path: Path) -> Iterator[Record]:
    """Yield the records of a FASTA file of nucleotides.

    Raises InputError if it cannot be read as one, at its end if it has no record or the name of a protein file,
    and UserError if a record does not fit into the memory.
    """
    return _records(path, NUCLEOTIDES)


def protein_records(path: Path) -> Iterator[Record]:
    """Yield the records of a FASTA file of proteins. Raises as `nucleotide_records` does, whatever its name is."""
    return _records(path, AMINO_ACIDS)


def _records(path: Path, alphabet: Alphabet) -> Iterator[Record]:
    shown = visible(str(path))
    number = 0
    try:
        # Without threads, so in this process: starting a program takes longer than reading most files.
        with xopen(path, "rb", threads=0) as file:
            for record in read_records(_blocks(file), alphabet):
                number += 1
                yield record
        if not number:
            raise InputError("contains no FASTA record")
        # Only now, because a letter that is not a nucleotide is the better reason.
        if alphabet is NUCLEOTIDES and is_protein_name(path.name):
            raise InputError("has the name of a protein file; rename it if it contains nucleotides")
    except InputError as error:
        raise InputError(f"{shown}: {error}") from error
    except MemoryError as error:
        # Not an InputError: another worker may have the memory.
        raise UserError(f"{shown}: record {number + 1} does not fit into the memory") from error
    except Exception as error:
        # The exceptions of the decompressors that xopen chooses from have no common base.
        raise InputError(f"{shown}: cannot be read after record {number}: {visible(str(error))}") from error


def count_records(path: Path) -> int | None:
    """Return the number of records in a FASTA or FASTQ file; None: unknown, it cannot be read to its end."""
    try:
        with xopen(path, "rb", threads=0) as file:
            return sum(1 for _ in split_records(_blocks(file)))
    except Exception:
        return _count_with_dnaio(path)


def _count_with_dnaio(path: Path) -> int | None:
    import dnaio  # only here: a worker that counts nothing starts sooner without it

    try:
        with dnaio.open(path) as reader:
            return sum(1 for _ in reader)
    except Exception:
        return None  # the exceptions of its readers have no common base


def _blocks(file: BinaryIO) -> Iterator[bytes]:
    while block := file.read(_BLOCK_BYTES):
        yield block
