"""The input files of a run: which they are, their ids, and where their results may go.

All of this is decided before the run starts, so that two inputs can never write to the same path, whatever their
names are and whichever worker takes them.
"""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

from virnucpro_bus.errors import InputError
from virnucpro_bus.text import visible

SEQUENCE_SUFFIXES = (".fa", ".fasta", ".fna", ".faa", ".fas", ".ffn", ".fq", ".fastq")
GZ_BASES_PER_BYTE = 4
"""The estimated bases in one byte of a .gz file; a byte of any other file counts as one base."""
MAX_ID_BYTES = 200
# Room for the "~N" that makes a shortened id unique.
_CUT_ID_BYTES = MAX_ID_BYTES - 10


class FileState(NamedTuple):
    """What shows whether a file has changed: its size, modification time and inode."""

    size_bytes: int
    mtime_ns: int
    inode: int


def state_of(path: Path) -> FileState:
    """Return the present state of a file. Raises OSError."""
    return _state(path.stat())


def _state(status: os.stat_result) -> FileState:
    return FileState(status.st_size, status.st_mtime_ns, status.st_ino)


@dataclass(frozen=True)
class InputFile:
    """One input file of a run."""

    id: str
    """Unique in the run, printable and at most 200 bytes long: the base name where that is enough."""
    path: Path
    """Absolute."""
    stem: str
    """The base name without ".gz" and one suffix; results named after it need no folder of their own."""
    size_bytes: int
    cost: int
    """Estimated work: in bases, unless the job has its own estimates (launch/estimates.py)."""
    own_folder: bool
    """Whether all results go to a folder of their own, because they could be taken for another input's."""
    state: FileState | None = None
    """The file's state when it was found; None: unknown."""

    @property
    def identity(self) -> str:
        """A digest of path and state, equal only for the same, unchanged input; "" where the state is unknown."""
        if self.state is None:
            return ""
        state = " ".join(map(str, self.state)).encode()
        return blake2b(state + b" " + os.fsencode(self.path), digest_size=16).hexdigest()


@dataclass(frozen=True)
class FoundInputs:
    """The input files that the arguments of a run name."""

    files: tuple[InputFile, ...]
    """In the order given."""
    aliases: tuple[tuple[Path, Path], ...]
    """Paths that lead to a file of an earlier path, as (path, earlier path)."""


def find_inputs(arguments: Sequence[Path]) -> FoundInputs:
    """Return the files that `arguments` name; a folder stands for the sequence files directly in it, by name.

    Hidden files of a folder are skipped. A file that is reached twice, through a link for example, is taken once.
    Empty files are taken. Raises InputError for a path that is missing, cannot be read, is not a regular file, or
    is a folder without sequence files.
    """
    first_path: dict[tuple[int, int], Path] = {}
    states: list[FileState] = []
    aliases: list[tuple[Path, Path]] = []
    for argument in arguments:
        for path in _expand(argument.absolute()):
            status = _status_of_readable(path)
            identity = (status.st_dev, status.st_ino)
            if identity in first_path:
                aliases.append((path, first_path[identity]))
            else:
                first_path[identity] = path
                states.append(_state(status))
    paths = list(first_path.values())
    ids = make_ids(paths)
    stems = [stem_of(path) for path in paths]
    files = tuple(
        InputFile(
            name,
            path,
            stem,
            state.size_bytes,
            state.size_bytes * (GZ_BASES_PER_BYTE if _is_gz(path.name) else 1),
            own_folder,
            state,
        )
        for name, path, stem, state, own_folder in zip(
            ids, paths, stems, states, need_own_folder(stems, ids), strict=True
        )
    )
    return FoundInputs(files, tuple(aliases))


def stem_of(path: Path) -> str:
    """Return the file name without ".gz" and then without one suffix: "reads" for reads.fa.gz. Never empty."""
    name = path.name
    if _is_gz(name) and len(name) > len(".gz"):
        name = name[: -len(".gz")]
    return os.path.splitext(name)[0]


def make_ids(paths: Sequence[Path]) -> list[str]:
    """Return a unique, printable id for each of `paths`, which are absolute and all different.

    An id is the base name where that is unique; else the shortest end of the path that is unique, with "+" for
    "/"; else, and where that is too long, the base name and "~2", "~3" ...
    """
    ids = [""] * len(paths)
    taken: set[str] = set()
    pending = list(range(len(paths)))
    numbered: list[int] = []
    depth = 1
    while pending:
        ends = ["+".join(paths[index].parts[-depth:]).replace("/", "") for index in pending]
        uses = Counter(ends)
        longer: list[int] = []
        for index, end in zip(pending, ends, strict=True):
            text = visible(end)
            if len(text.encode()) > MAX_ID_BYTES or depth > len(paths[index].parts):
                numbered.append(index)
            elif uses[end] > 1 or text in taken:
                longer.append(index)
            else:
                taken.add(text)
                ids[index] = text
        pending = longer
        depth += 1
    next_number: Counter[str] = Counter()
    for index in sorted(numbered):
        text = visible(paths[index].name).encode()[:_CUT_ID_BYTES].decode(errors="ignore")
        number = max(2, next_number[text])
        while f"{text}~{number}" in taken:
            number += 1
        next_number[text] = number + 1
        ids[index] = f"{text}~{number}"
        taken.add(ids[index])
    return ids


def need_own_folder(stems: Sequence[str], ids: Sequence[str]) -> list[bool]:
    """Return for each input whether results named after its stem could be taken for another's, or its folder."""
    all_stems = set(stems)
    # By stem: how many inputs have a stem or an id that this stem covers.
    claims: Counter[str] = Counter()
    for stem, name in zip(stems, ids, strict=True):
        claims.update(all_stems.intersection((*stems_covering(stem), *stems_covering(name))))
    return [
        claims[stem] > 1 or any(other in all_stems for other in stems_covering(stem) if other != stem)
        for stem in stems
    ]


def covers(stem: str, name: str) -> bool:
    """Return whether a result called `name` is named after `stem`: is equal to it, or continues it with a dot."""
    return name == stem or name.startswith(f"{stem}.")


def stems_covering(name: str) -> Iterator[str]:
    """Yield every stem that covers `name`, the shortest first."""
    end = name.find(".")
    while end >= 0:
        yield name[:end]
        end = name.find(".", end + 1)
    yield name


def _is_gz(name: str) -> bool:
    return name.lower().endswith(".gz")


def _is_sequence_name(name: str) -> bool:
    plain = name.lower().removesuffix(".gz")
    return not name.startswith(".") and plain.endswith(SEQUENCE_SUFFIXES)


def _expand(path: Path) -> list[Path]:
    """Return the path itself, or the sequence files directly in the folder."""
    # Not Path.is_dir: it raises for some paths, such as too long ones.
    if not os.path.isdir(path):
        return [path]
    try:
        with os.scandir(path) as entries:
            names = sorted(entry.name for entry in entries if _is_sequence_name(entry.name) and not entry.is_dir())
    except OSError as error:
        raise InputError(f"{visible(str(path))}: cannot list the folder: {error.strerror}") from error
    if not names:
        suffixes = " ".join(SEQUENCE_SUFFIXES)
        raise InputError(
            f"{visible(str(path))}: contains no sequence files ({suffixes}, each also with .gz); "
            "choose another folder, or name the files themselves"
        )
    return [path / name for name in names]


def _status_of_readable(path: Path) -> os.stat_result:
    """Return the status of a regular file that can be opened. Raises InputError for anything else."""
    try:
        status = path.stat()
        if stat.S_ISREG(status.st_mode):
            path.open("rb").close()
            return status
    except FileNotFoundError as error:
        raise InputError(f"{visible(str(path))}: does not exist; check the path") from error
    except OSError as error:
        raise InputError(f"{visible(str(path))}: cannot be read: {error.strerror}") from error
    raise InputError(f"{visible(str(path))}: is not a regular file; give a file or a folder")
