"""Sequence files on disk, plain or compressed by gzip, bzip2, xz or zstd."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from xopen import xopen

from virnucpro_bus.errors import InputError
from virnucpro_bus.text import visible
from workers.jobs.fasta import Record, read_nucleotides

_BLOCK_BYTES = 1 << 18


def nucleotide_records(path: Path) -> Iterator[Record]:
    """Yield the records of a FASTA file of nucleotides. Raises InputError if it cannot be read as one."""
    shown = visible(str(path))
    number = 0
    try:
        # Without threads, so in this process: starting a program takes longer than reading most files.
        with xopen(path, "rb", threads=0) as file:
            for record in read_nucleotides(_blocks(file)):
                number += 1
                yield record
    except InputError as error:
        raise InputError(f"{shown}: {error}") from error
    except MemoryError:
        raise
    except Exception as error:
        # The exceptions of the decompressors that xopen chooses from have no common base.
        raise InputError(f"{shown}: cannot be read after record {number}: {visible(str(error))}") from error


def _blocks(file: BinaryIO) -> Iterator[bytes]:
    while block := file.read(_BLOCK_BYTES):
        yield block
