"""From an attempt's output folder to the results folder."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import NamedTuple

from virnucpro_bus.errors import UserError
from workers.inputs import InputFile, place_results


class Placed(NamedTuple):
    """What an attempt has left behind."""

    results: int
    size_bytes: int


class ResultStore:
    """The results folder of a run, and the attempts' output folders beside it, on the same file system."""

    def __init__(self, run_dir: Path) -> None:
        self.folder = run_dir / "results"
        self._attempts = os.fspath(run_dir.absolute() / ".attempts")
        self._named = 0

    def prepare(self) -> None:
        """Make both folders. Raises UserError when there are results already or the place cannot be written."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            if any(self.folder.iterdir()):
                raise UserError(f"{self.folder}: already holds results; choose another output folder")
            shutil.rmtree(self._attempts, ignore_errors=True)
            os.mkdir(self._attempts)
        except OSError as error:
            raise UserError(f"{error.filename or self.folder}: cannot be written: {error.strerror}") from None

    def new_attempt(self) -> str:
        """The folder for one attempt's results, which the worker is to make; absolute."""
        self._named += 1
        return f"{self._attempts}/{self._named}"

    def place(self, file: InputFile, attempt: str) -> Placed:
        """Move everything the attempt has left in its folder to its final place. Raises OSError."""
        names = sorted(os.listdir(attempt))
        target = self.folder / place_results(file, names)
        target.mkdir(exist_ok=True)
        size_bytes = 0
        for name in names:
            left = Path(attempt, name)
            size_bytes += _size(left)
            left.rename(target / name)
        # Not rmdir: something that the job has left running may still write there.
        self.discard(attempt)
        return Placed(len(names), size_bytes)

    def discard(self, attempt: str) -> None:
        """An attempt that counts for nothing leaves nothing behind."""
        shutil.rmtree(attempt, ignore_errors=True)

    def tidy(self) -> None:
        """At the end of the run: the attempts' folder goes."""
        shutil.rmtree(self._attempts, ignore_errors=True)

    def remove_if_empty(self) -> None:
        """Take back what `prepare` has made, as far as nothing has been put there."""
        try:
            self.folder.rmdir()
        except OSError:
            pass


def _size(path: Path) -> int:
    if path.is_dir() and not path.is_symlink():
        return sum(entry.lstat().st_size for entry in path.rglob("*") if entry.is_file())
    return path.lstat().st_size
