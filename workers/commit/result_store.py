"""The results folder of a run: which path each result gets there, and moving an attempt's results into it.

Results named after their input lie directly in the results folder, all others in a folder named by the input's
id. What users put beside them stays, whatever its name: only paths that the journal holds are ever removed.
"""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from itertools import groupby
from pathlib import Path

from virnucpro_bus.errors import UserError
from virnucpro_bus.files.disk import Disk, problem_of_folder
from virnucpro_bus.run_folder import ATTEMPTS_NAME, RESULTS_NAME
from workers.commit.manifest import Manifest, measure
from workers.commit.placement import Placement, is_entry, list_names
from workers.inputs.ids import covers, folder_of
from workers.inputs.input_file import InputFile


def result_folder(input_file: InputFile, names: Sequence[str]) -> str:
    """Return the folder in the results folder that gets the results `names`; "": the results folder itself.

    That is the folder named by the input's id, unless all `names` are the input's stem or continue it with a dot.
    """
    if input_file.own_folder or not all(covers(input_file.stem, name) for name in names):
        return folder_of(input_file.id)
    return ""


class ResultStore:
    """The results folder of a run, and beside it, on the same file system, the attempts' output folders."""

    def __init__(self, run_dir: Path, disk: Disk | None = None) -> None:
        self.folder = run_dir / RESULTS_NAME
        self._root = os.fspath(self.folder)  # every file passes here, and a Path costs as much as a system call
        self._disk = disk or Disk()
        self._attempts = os.fspath(run_dir.absolute() / ATTEMPTS_NAME)
        # A worker that outlives its launcher for a moment must not write into the folders of a resumed run.
        self._session = secrets.token_hex(4)
        self._attempts_named = 0
        self._touched: set[str] = set()
        """Folders with entries that are not synced yet."""
        self._identity = (0, 0)
        """Device and inode of the results folder."""
        self._former: Mapping[str, Iterable[str]] = {}
        """Paths that earlier sessions have placed, by the file's id; its next commit replaces them."""

    def prepare(self, *, may_hold_files: bool = False) -> None:
        """Create both folders, and remove what earlier attempts left in theirs.

        `may_hold_files`: the results folder may contain results, and files of the user. Raises UserError when it
        does and may not, and when a folder cannot be written.
        """
        try:
            self._disk.make_folder(self.folder)
            if not may_hold_files and any(self.folder.iterdir()):
                raise UserError(f"{self.folder}: already holds results; choose another output folder")
            self.tidy()
            os.makedirs(self._attempts, exist_ok=True)
            self._identify_folder()
            # This folder also contains the capture, which must be found again after a power failure.
            self._disk.sync_folder(self.folder.parent)
            self._disk.sync_folder(self.folder.absolute().parent.parent)
        except OSError as error:
            raise UserError(f"{error.filename or self.folder}: cannot be written: {error.strerror}") from None

    def _identify_folder(self) -> None:
        """Note which folder gets the results. Raises UserError where no result can be renamed into it."""
        probe, target = f"{self._attempts}/{self._session}", self.folder / f".{self._session}"
        os.mkdir(probe)
        try:
            os.rename(probe, target)
        except OSError as error:
            self.tidy()
            if error.errno != errno.EXDEV:
                raise
            raise UserError(
                f"{self.folder}: is on another file system than {self.folder.parent}, and results cannot be moved "
                "into it; remove this link, or choose an output folder on the other file system"
            ) from None
        os.rmdir(target)
        self._identity = _identity(self._root)

    def new_attempt(self) -> str:
        """Return the absolute path of a new attempt's output folder, which the worker creates."""
        self._attempts_named += 1
        return f"{self._attempts}/{self._session}-{self._attempts_named}"

    def keep_from_beginning(self, attempt: str) -> bool:
        """Keep a worker from beginning an attempt that it holds. Returns False if it has begun, or may have.

        To begin, the worker makes the output folder, which only one can: it or we.
        """
        try:
            os.mkdir(attempt)
        except OSError:
            return False
        return True

    @property
    def has_attempts(self) -> bool:
        """Whether any file was handed out: `new_attempt` was called."""
        return self._attempts_named > 0

    def plan(self, file: InputFile, attempt: str) -> Placement:
        """Return where everything in the attempt's output folder is to be placed. Raises OSError."""
        if _identity(self._root) != self._identity:
            raise OSError(errno.ESTALE, "it is no longer the folder that it was when the run started")
        if os.path.islink(attempt):
            raise OSError(errno.ENOTDIR, "the output folder is a link", attempt)
        names = list_names(attempt)
        entries = [name.removesuffix("/") for name in names if is_entry(name)]
        return Placement(result_folder(file, entries), names)

    def place(self, placement: Placement, attempt: str) -> None:
        """Move the attempt's results to their final paths; each replaces a file that is there already.

        They survive a power failure only after `sync`. Raises OSError, and then none of them stays in place.
        """
        target = self._path_of(placement.folder)
        self._touched |= {self._root, target}
        moved: list[str] = []
        try:
            if placement.folder:
                self._disk.make_folder(target)
            for entry, group in groupby(placement.names, lambda name: name.partition("/")[0]):
                names = list(group)
                if names[-1].endswith("/") and _is_folder(f"{target}/{entry}"):
                    for name in names:
                        self._merge(name, attempt, target)
                        moved.append(name)
                else:
                    self._disk.rename(f"{attempt}/{entry}", f"{target}/{entry}")
                    moved += names
        except OSError:
            self.remove(Placement(placement.folder, tuple(moved)).paths())
            raise

    def _merge(self, name: str, attempt: str, target: str) -> None:
        """Move one file, or make one folder, in a folder that is there already; other files in it stay."""
        path = f"{target}/{name.removesuffix('/')}"
        parent = os.path.dirname(path)
        if name.endswith("/"):
            self._disk.make_folder(path)
        else:
            self._disk.make_folder(parent)
            self._disk.rename(f"{attempt}/{name}", path)
        self._touched |= {parent, os.path.dirname(parent)}

    def _path_of(self, folder: str) -> str:
        """Return the path of a placement's folder."""
        return f"{self._root}/{folder}" if folder else self._root

    def problem(self) -> str | None:
        """Return why no results can be made or placed, in one line; None if they can."""
        return problem_of_folder(self._attempts) or problem_of_folder(self.folder)

    def sync(self) -> None:
        """Sync everything that was placed since the last call. Raises OSError."""
        touched, self._touched = self._touched, set()
        for folder in sorted(touched, reverse=True):
            self._disk.sync_folder(folder)

    def is_intact(self, placement: Placement, expected: Manifest) -> bool:
        """Return whether the results in place have the manifest expected of them."""
        try:
            return measure(self._path_of(placement.folder), placement.names) == expected
        except OSError:
            return False

    def replace_later(self, former: Mapping[str, Iterable[str]]) -> None:
        """Keep the paths that earlier sessions have placed, by file id, until that file is committed again."""
        self._former = former

    def remove_replaced(self, file: InputFile, placement: Placement) -> None:
        """Remove what earlier sessions have placed for a file, and its commit of `placement` does not replace."""
        if former := self._former.get(file.id):
            self.remove(set(former) - set(placement.paths()))

    def remove(self, paths: Iterable[str]) -> None:
        """Remove these paths below the results folder, as far as possible, and nothing behind a link.

        A path that ends in "/" is a folder, which is removed if it is empty.
        """
        # In this order a folder follows the paths in it.
        for path in sorted(paths, reverse=True):
            if not self._is_behind_link(path):
                try:
                    if path.endswith("/"):
                        self._disk.remove_empty_folder(self.folder / path)
                    else:
                        self._disk.unlink(self.folder / path)
                except OSError:
                    continue

    def _is_behind_link(self, path: str) -> bool:
        parents = Path(path).parents
        return any((self.folder / parent).is_symlink() for parent in parents if parent.name)

    def discard(self, attempt: str) -> None:
        """Remove the output folder of an attempt, as far as possible."""
        try:
            os.rmdir(attempt)  # nearly always all of it was placed
        except OSError:
            with suppress(OSError):  # the next session removes it
                Disk().remove(attempt)

    def tidy(self) -> None:
        """Remove the folder of all attempts, as far as possible."""
        self.discard(self._attempts)

    def remove_if_empty(self) -> None:
        """Remove the results folder if it is empty: undoes `prepare` for a run that could not begin."""
        try:
            self.folder.rmdir()
        except OSError:
            pass


def _identity(folder: str) -> tuple[int, int]:
    status = os.stat(folder)
    return status.st_dev, status.st_ino


def _is_folder(path: str) -> bool:
    return os.path.isdir(path) and not os.path.islink(path)
