"""A folder given as input: which of its files are taken, and what is left out of it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from heapq import nsmallest
from pathlib import Path

from virnucpro_bus.errors import InputError
from virnucpro_bus.run_folder import CAPTURE_NAME, LOG_FOLDER, RESULTS_NAME
from virnucpro_bus.text import visible
from workers.inputs.selection import Kind, Selection

MAX_NAMES_SHOWN = 3
"""Of each kind of entries that are left out."""
_FOLDERS_OF_RUN = (LOG_FOLDER, RESULTS_NAME)


class InputFolder:
    """A folder among the inputs, with all its subfolders if they are wanted. To be walked once."""

    def __init__(
        self, path: Path, selection: Selection, *, recursive: bool = False, run_dir: Path | None = None
    ) -> None:
        """`path` is absolute. With `recursive`, a subfolder with a run in it, and `run_dir`, are left out."""
        self.path = path
        self._selection = selection
        self._recursive = recursive
        self._run_dir = None if run_dir is None else os.path.realpath(run_dir)
        self._counts = dict.fromkeys(Kind, 0)
        self._shown: dict[Kind, list[str]] = {kind: [] for kind in Kind}

    def walk(self) -> Iterator[tuple[str, list[str]]]:
        """Yield each folder from which files are taken, by name, with their names, sorted; never none.

        Hidden entries are left out, and links to folders are not followed. Raises InputError if a folder cannot be
        listed, or no file is taken of any.
        """
        root, is_empty = os.fspath(self.path), True
        real_root = os.path.realpath(root)
        pending = [""]
        while pending:
            below = pending.pop()
            folder = root + below if root != "/" else below or root
            entries = _Entries(folder, self._selection)
            is_run = entries.has_capture or real_root.rstrip("/") + below == self._run_dir
            if is_run and below:
                self._leave_out(Kind.RUNS, "", [below[1:]])
                continue
            folders = entries.folders
            if is_run:
                self._leave_out(Kind.RUNS, below, [name for name in folders if name in _FOLDERS_OF_RUN])
                folders = [name for name in folders if name not in _FOLDERS_OF_RUN]
            if self._recursive:
                pending += [f"{below}/{name}" for name in sorted(folders, reverse=True)]
            else:
                self._leave_out(Kind.FOLDERS, below, folders)
            self._leave_out(Kind.LINKS, below, entries.links)
            self._leave_out(Kind.HIDDEN, below, entries.hidden)
            for kind, names in entries.others.items():
                self._leave_out(kind, below, names)
            if entries.taken:
                entries.taken.sort()
                is_empty = False
                yield folder, entries.taken
        if is_empty:
            raise InputError(self._why_empty())

    def left_out(self) -> str:
        """Return how many entries are left out, and the first few of them; "" if all are taken."""
        return ", ".join(_count(kind, count, self._shown[kind]) for kind, count in self._counts.items() if count)

    def remedy(self) -> str:
        """Return what takes entries that are left out."""
        return "name them" + ("; for subfolders, add --recursive" if self._counts[Kind.FOLDERS] else "")

    def _leave_out(self, kind: Kind, below: str, names: Sequence[str]) -> None:
        self._counts[kind] += len(names)
        shown = self._shown[kind]
        if names and len(shown) < MAX_NAMES_SHOWN:
            place = f"{below[1:]}/" if below else ""
            shown += [place + name for name in nsmallest(MAX_NAMES_SHOWN - len(shown), names)]

    def _why_empty(self) -> str:
        left_out = f", but {visible(text)}" if (text := self.left_out()) else ""
        remedy = ", or add --recursive for its subfolders" if self._counts[Kind.FOLDERS] else ""
        return (
            f"{visible(str(self.path))}: contains no {self._selection}{left_out}; choose another folder, or name "
            f"the files themselves{remedy}"
        )


class _Entries:
    """The entries of one folder, in no order. Raises InputError if it cannot be listed."""

    def __init__(self, folder: str, selection: Selection) -> None:
        self.taken: list[str] = []
        self.others: dict[Kind, list[str]] = {}
        """Files that are not taken."""
        self.folders: list[str] = []
        self.links: list[str] = []
        """Those that lead to folders."""
        self.hidden: list[str] = []
        """Files and folders."""
        self.has_capture = False
        takes = selection.takes
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    name = entry.name
                    try:
                        is_folder = entry.is_dir()
                    except OSError:
                        is_folder = False  # a link in a circle, for example, which is reported if it is taken
                    if name.startswith("."):
                        self.hidden.append(name)
                    elif is_folder:
                        (self.links if entry.is_symlink() else self.folders).append(name)
                    elif takes(name):
                        self.taken.append(name)
                    else:
                        self.others.setdefault(selection.kind_of(name), []).append(name)
                    if name == CAPTURE_NAME:
                        self.has_capture = True
        except OSError as error:
            reason = f"cannot list the folder: {error.strerror}; make it readable, or name other folders"
            raise InputError(f"{visible(folder)}: {reason}") from None


def _count(kind: Kind, count: int, shown: Sequence[str]) -> str:
    """Return for example "2 other files (a.txt, b.txt)"."""
    one, many = kind.value
    return f"{count} {one if count == 1 else many} ({', '.join(shown)}{', ...' if count > len(shown) else ''})"
