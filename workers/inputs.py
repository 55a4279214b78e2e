"""What is to be worked on: the input files, what each is called, and where its results go.

Everything is decided before the run starts, so that two inputs can never write to one place, whatever they are
named and whichever worker takes them.
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
MAX_ID_BYTES = 200
# Room for the "~N" that makes a shortened id unique.
_CUT_ID_BYTES = MAX_ID_BYTES - 10


class FileState(NamedTuple):
    """By what a file is known not to have changed."""

    size_bytes: int
    mtime_ns: int
    inode: int


def state_of(path: Path) -> FileState:
    """What a file is now. Raises OSError."""
    return _state(path.stat())


def _state(status: os.stat_result) -> FileState:
    return FileState(status.st_size, status.st_mtime_ns, status.st_ino)


@dataclass(frozen=True)
class InputFile:
    """One input file.

    `id` is unique in the run, printable and at most 200 bytes long: the base name where that will do. `path` is
    absolute. `cost` is the estimated work, in bases unless the job has its own estimates (estimates.py).
    `own_folder` says that results may not stand directly in the results folder, because they could be taken for
    another input's. `state` is what the file was when it was found; None: nobody has looked.
    """

    id: str
    path: Path
    stem: str
    size_bytes: int
    cost: int
    own_folder: bool
    state: FileState | None = None

    @property
    def identity(self) -> str:
        """A digest of its path and state; another one is another input. "" where nobody has looked."""
        if self.state is None:
            return ""
        state = " ".join(map(str, self.state)).encode()
        return blake2b(state + b" " + os.fsencode(self.path), digest_size=16).hexdigest()


@dataclass(frozen=True)
class FoundInputs:
    """The files to work on, in the order given, and what was given again: (path, path it is the same file as)."""

    files: tuple[InputFile, ...]
    aliases: tuple[tuple[Path, Path], ...]


def find_inputs(arguments: Sequence[Path]) -> FoundInputs:
    """The files that `arguments` name; a folder stands for the sequence files directly in it, by name.

    Hidden files of a folder are passed over. A file reached twice, by links too, is taken once. An empty file is
    taken. Raises InputError for what is missing, cannot be read, is no regular file, or is a folder without
    sequence files.
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
    """The file name without ".gz" and then without one suffix: "reads" for reads.fa.gz. Never empty."""
    name = path.name
    if _is_gz(name) and len(name) > len(".gz"):
        name = name[: -len(".gz")]
    return os.path.splitext(name)[0]


def make_ids(paths: Sequence[Path]) -> list[str]:
    """A unique, printable id for each of `paths`, which are absolute and all different.

    The base name where it is unique; else the end of the path that is, as short as possible, with "+" for "/";
    where that will not do either, the base name and "~2", "~3" ...
    """
    ids = [""] * len(paths)
    taken: set[str] = set()
    waiting = list(range(len(paths)))
    numbered: list[int] = []
    depth = 1
    while waiting:
        ends = ["+".join(paths[index].parts[-depth:]).replace("/", "") for index in waiting]
        uses = Counter(ends)
        longer: list[int] = []
        for index, end in zip(waiting, ends, strict=True):
            text = visible(end)
            if len(text.encode()) > MAX_ID_BYTES or depth > len(paths[index].parts):
                numbered.append(index)
            elif uses[end] > 1 or text in taken:
                longer.append(index)
            else:
                taken.add(text)
                ids[index] = text
        waiting = longer
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
    """For each input, whether results called like its stem could be taken for another's results or folder."""
    inputs_of_stem = Counter(stems)
    # How many inputs use, as stem or as folder, a name that a stem covers.
    claims: Counter[str] = Counter()
    for stem, name in zip(stems, ids, strict=True):
        claims.update(
            prefix for prefix in {*_dotted_prefixes(stem), *_dotted_prefixes(name)} if prefix in inputs_of_stem
        )
    return [
        claims[stem] > 1 or any(prefix in inputs_of_stem for prefix in _dotted_prefixes(stem) if prefix != stem)
        for stem in stems
    ]


def _covers(stem: str, name: str) -> bool:
    return name == stem or name.startswith(f"{stem}.")


def _dotted_prefixes(name: str) -> Iterator[str]:
    """Every stem that covers `name`."""
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
    # Not Path.is_dir: that one raises for some paths that cannot be looked at.
    if not os.path.isdir(path):
        return [path]
    try:
        with os.scandir(path) as entries:
            names = sorted(entry.name for entry in entries if _is_sequence_name(entry.name) and not entry.is_dir())
    except OSError as error:
        raise InputError(f"{visible(str(path))}: cannot list the folder: {error.strerror}") from error
    if not names:
        raise InputError(
            f"{visible(str(path))}: no sequence files in this folder "
            f"(looked for {' '.join(SEQUENCE_SUFFIXES)}, each also with .gz)"
        )
    return [path / name for name in names]


def _status_of_readable(path: Path) -> os.stat_result:
    try:
        status = path.stat()
        if stat.S_ISREG(status.st_mode):
            path.open("rb").close()
            return status
    except FileNotFoundError as error:
        raise InputError(f"{visible(str(path))}: no such file or folder") from error
    except OSError as error:
        raise InputError(f"{visible(str(path))}: cannot be read: {error.strerror}") from error
    raise InputError(f"{visible(str(path))}: not a regular file; give a file or a folder")
