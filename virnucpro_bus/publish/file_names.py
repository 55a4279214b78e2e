"""What files are called on the bus: by the base name, unless a plan has several files of that name."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from pathlib import PurePath

from virnucpro_bus.publish.values import as_event_name, as_file_name, as_path


class FileNames:
    """The names of files, as far as they differ from the base name. Safe to use from several threads."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        """Those that are called otherwise than by their base name, by absolute path."""

    def add(self, files: Iterable[object]) -> None:
        """Give names to files of which some may have the same base name. Raises ValueError for anything else."""
        self._names |= distinct_names(absolute(file) for file in files)

    def name_of(self, file: object) -> str:
        """Return what `file` is called. Raises ValueError for what is not a path."""
        return (self._names and self._names.get(absolute(file))) or as_file_name(file)


def absolute(file: object) -> str:
    """Return the absolute path of `file`, in one spelling. Raises ValueError for anything else."""
    path = as_path(file)
    try:
        return os.path.abspath(path)
    except OSError:  # the current folder was removed
        return path


def distinct_names(paths: Iterable[str]) -> dict[str, str]:
    """Return a name for each absolute path whose base name another one of `paths` has too.

    That is the shortest end of the path in which no other one ends, with "+" for "/", as in a run.
    """
    by_base_name: defaultdict[str, list[str]] = defaultdict(list)
    for path in dict.fromkeys(paths):
        by_base_name[os.path.basename(path)].append(path)
    names = {}
    for alike in by_base_name.values():
        if len(alike) > 1:
            uses = Counter(end for path in alike for end in _ends(path))
            for path in alike:
                names[path] = as_event_name(next(end for end in _ends(path) if uses[end] == 1))
    return names


def _ends(path: str) -> Iterator[str]:
    """Yield the ends of an absolute path, the shortest first. The last one is the path, so no other has it."""
    parts = PurePath(path).parts
    for depth in range(1, len(parts) + 1):
        yield "+".join(parts[-depth:]).replace("/", "")
