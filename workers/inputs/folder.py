"""A folder given as input: which of its entries are taken, and which are left out."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from virnucpro_bus.errors import InputError
from virnucpro_bus.text import visible
from workers.inputs.names import (
    COMPRESSION_SUFFIXES,
    NUCLEOTIDE_SUFFIXES,
    PROTEIN_SUFFIXES,
    is_protein_name,
    is_sequence_name,
)

MAX_NAMES_SHOWN = 3
"""Of each kind of entries that are left out."""


@dataclass(frozen=True)
class FolderEntries:
    """The entries of one folder, each list sorted by name."""

    folder: Path
    taken: list[str]
    """The sequence files, without hidden ones."""
    proteins: list[str]
    """Files of protein sequences, where the job reads nucleotides; else empty, because they are taken."""
    others: list[str]
    """Files whose names are not those of sequence files."""
    folders: list[str]
    hidden: list[str]
    """Files and folders."""

    def left_out(self) -> str:
        """Return how many entries are left out, and the first few of them; "" if all are taken."""
        kinds = [
            _count(self.proteins, "protein file"),
            _count(self.others, "other file"),
            _count(self.folders, "subfolder"),
            _count(self.hidden, "hidden entry", "hidden entries"),
        ]
        return ", ".join(filter(None, kinds))


def list_folder(folder: Path, *, nucleotides_only: bool) -> FolderEntries:
    """Return the entries of `folder`. Raises InputError if it cannot be listed, or no file in it is taken."""
    found = FolderEntries(folder, [], [], [], [], [])
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                _list_for(entry, found, nucleotides_only).append(entry.name)
    except OSError as error:
        raise InputError(f"{visible(str(folder))}: cannot list the folder: {error.strerror}") from error
    for names in (found.taken, found.proteins, found.others, found.folders, found.hidden):
        names.sort()
    if not found.taken:
        suffixes = NUCLEOTIDE_SUFFIXES if nucleotides_only else NUCLEOTIDE_SUFFIXES + PROTEIN_SUFFIXES
        left_out = f", but {visible(text)}" if (text := found.left_out()) else ""
        raise InputError(
            f"{visible(str(folder))}: contains no sequence files{' of nucleotides' * nucleotides_only} "
            f"({' '.join(suffixes)}, each also with {' '.join(COMPRESSION_SUFFIXES)}){left_out}; "
            "choose another folder, or name the files themselves"
        )
    return found


def _list_for(entry: os.DirEntry[str], found: FolderEntries, nucleotides_only: bool) -> list[str]:
    if entry.name.startswith("."):
        return found.hidden
    if entry.is_dir():
        return found.folders
    if not is_sequence_name(entry.name):
        return found.others
    if nucleotides_only and is_protein_name(entry.name):
        return found.proteins
    return found.taken


def _count(names: list[str], one: str, many: str = "") -> str:
    """Return for example "2 other files (a.txt, b.txt)"; "" for no names."""
    if not names:
        return ""
    shown = ", ".join(names[:MAX_NAMES_SHOWN]) + (", ..." if len(names) > MAX_NAMES_SHOWN else "")
    return f"{len(names)} {one if len(names) == 1 else many or one + 's'} ({shown})"
