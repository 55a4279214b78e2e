"""The selection: which files of folders are taken, by their names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import Enum
from fnmatch import translate

from virnucpro_bus.errors import UserError
from virnucpro_bus.text import visible
from workers.inputs.names import (
    COMPRESSION_SUFFIXES,
    Reads,
    has_suffix,
    is_protein_name,
    is_sequence_name,
    suffixes_of,
)


class Kind(Enum):
    """The kinds of what is left out of a folder: the name of one, and of several. In the order of display."""

    PROTEINS = "protein file", "protein files"
    NUCLEOTIDES = "nucleotide file", "nucleotide files"
    OTHERS = "other file", "other files"
    FOLDERS = "subfolder", "subfolders"
    LINKS = "link to a folder", "links to folders"
    RUNS = "folder of a run", "folders of runs"
    HIDDEN = "hidden entry", "hidden entries"


class Selection:
    """Which files of folders are taken. Immutable."""

    def __init__(self, reads: Reads = "both", patterns: Sequence[str] = ()) -> None:
        """Take the sequence files of what a job reads, or with `patterns` the files that match one of them.

        Patterns are those of a shell (* ? [...]), and match a whole name, in its case. Raises UserError for one
        that no name matches.
        """
        for pattern in patterns:
            _check_pattern(pattern)
        self._reads: Reads = reads
        self._patterns = tuple(patterns)
        self._matches = re.compile("|".join(map(translate, patterns))).match if patterns else None
        self._suffixes = suffixes_of(reads)

    def takes(self, name: str) -> bool:
        """Whether a file called `name` is taken; hidden ones are for the caller to leave out."""
        if self._matches is not None:
            return self._matches(name) is not None
        return has_suffix(name, self._suffixes)

    def kind_of(self, name: str) -> Kind:
        """Return the kind of a file that is not taken."""
        if self._matches is not None or not is_sequence_name(name):
            return Kind.OTHERS
        return Kind.PROTEINS if is_protein_name(name) else Kind.NUCLEOTIDES

    def __str__(self) -> str:
        """Return what is taken, for people: "sequence files (.fa ...)", or "files that match '*.txt'"."""
        if self._patterns:
            quoted = [f"'{visible(pattern)}'" for pattern in self._patterns]
            return f"files that match {' or '.join(quoted)}"
        of = "" if self._reads == "both" else f" of {self._reads}"
        return f"sequence files{of} ({' '.join(self._suffixes)}, each also with {' '.join(COMPRESSION_SUFFIXES)})"


def _check_pattern(pattern: str) -> None:
    if not pattern:
        raise UserError("--glob: the pattern is empty; write one such as '*.fa'")
    folder, slash, name = pattern.rpartition("/")
    if slash:
        place = folder if folder and not any(sign in folder for sign in "*?[") else "the folder"
        raise UserError(
            f"--glob {visible(pattern)}: is compared with names, which have no /; give {visible(place)} as INPUT, "
            f"with --glob '{visible(name or '*')}'"
        )
