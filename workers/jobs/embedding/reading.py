"""A FASTA file as a model reads it: names, and sequences of the letters that the model was trained on."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from virnucpro_bus.errors import InputError, UserError
from virnucpro_bus.text import visible
from workers.jobs.embedding.model_files import SPECIAL_TOKENS, ModelKind
from workers.jobs.embedding.settings import Settings
from workers.jobs.record_names import RecordNames
from workers.jobs.sequence_file import nucleotide_records, protein_records

MAX_NAME_BYTES = 1000
"""The longest name: an array of text has room for the longest one in each row."""

_STOP = b"*"
_DNA = bytes(range(256)).upper().replace(b"U", b"T")
_NUCLEOTIDES = frozenset("ACGTUN")


class Sequences(NamedTuple):
    """The records of one file, in its order."""

    names: list[str]
    """The first words of the headers, in printable text; not always unique."""
    sequences: list[str]
    """In upper case: DNA for DNABERT, proteins without the stop at their end for the other models."""
    doubt: str | None
    """What is doubtful about the file, in one line; None: nothing."""


def read_sequences(path: Path, kind: ModelKind) -> Sequences:
    """Read all records of a FASTA file for a model of `kind`.

    Raises InputError if the file is not one, has no record, or contains other letters than `kind` reads, and
    UserError if it does not fit into the memory.
    """
    is_dna = kind is ModelKind.DNABERT
    shown = visible(str(path))
    names: list[bytes] = []
    sequences: list[str] = []
    for name, letters in nucleotide_records(path) if is_dna else protein_records(path):
        if len(name) > MAX_NAME_BYTES:
            raise InputError(
                f"{shown}: record {len(names) + 1} has a name of {len(name)} bytes; shorten it to {MAX_NAME_BYTES}"
            )
        names.append(name)
        upper = letters.translate(_DNA) if is_dna else letters.upper().rstrip(_STOP)
        sequences.append(upper.decode("ascii"))
    checked = RecordNames()
    checked.add(names)
    doubt = checked.problem
    if doubt is None and kind.is_esm and all(_NUCLEOTIDES.issuperset(each) for each in sequences):
        doubt = f"all letters are those of nucleotides, but {kind} reads proteins; give it the proteins"
    return Sequences([name.decode() for name in names], sequences, doubt)


def estimate_tokens(path: Path, settings: Settings) -> float:
    """Return about how many tokens a file has for a model, in letters; 0 for a file that fails at once.

    What the model does not read of a sequence is left out where a letter is a token; elsewhere only the tokenizer
    knows it.
    """
    kind = settings.model.kind
    limit = settings.max_length if kind.is_esm else None
    tokens = 0
    try:
        for _, letters in nucleotide_records(path) if kind is ModelKind.DNABERT else protein_records(path):
            tokens += (len(letters) if limit is None else min(len(letters), limit)) + SPECIAL_TOKENS
    except UserError:
        return 0.0
    return float(tokens)
