"""From an attempt's output folder to the results folder."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

from virnucpro_bus.errors import UserError
from virnucpro_bus.system.disk import Disk
from workers.commit.manifest import Manifest, measure
from workers.inputs import InputFile, _covers, _dotted_prefixes


def place_results(input_file: InputFile, names: Sequence[str]) -> str:
    """Which folder of the results folder takes the results `names`: "" for none, they stand directly in it.

    Only results called like the input (its stem, or stem and a dot and more) may stand there; else all of them
    go to a folder called by the input's id.
    """
    if input_file.own_folder or not all(_covers(input_file.stem, name) for name in names):
        return input_file.id
    return ""


def results_of(files: Sequence[InputFile], names: Iterable[str]) -> list[list[str]]:
    """Which of `names`, which stand directly in the results folder, are results of each of `files`."""
    owners = {file.stem: at for at, file in enumerate(files) if not file.own_folder}
    found: list[list[str]] = [[] for _ in files]
    for name in names:
        owner = next((owners[prefix] for prefix in _dotted_prefixes(name) if prefix in owners), None)
        if owner is not None:
            found[owner].append(name)
    return found


RESULTS_NAME = "results"
ATTEMPTS_NAME = ".attempts"


class ResultStore:
    """The results folder of a run, and the attempts' output folders beside it, on the same file system."""

    def __init__(self, run_dir: Path, disk: Disk | None = None) -> None:
        self.folder = run_dir / RESULTS_NAME
        self._disk = disk or Disk()
        self._attempts = os.fspath(run_dir.absolute() / ATTEMPTS_NAME)
        # A worker that outlives its launcher for a moment must not write where a resumed run does.
        self._session = secrets.token_hex(4)
        self._named = 0
        self._touched: set[Path] = set()
        """Folders whose names the disk has yet to be told."""

    def prepare(self, *, go_on: bool = False) -> None:
        """Make both folders. Raises UserError when the place cannot be written, or there are results already.

        `go_on`: there may be results. What attempts have left behind is void.
        """
        try:
            self._disk.make_folder(self.folder)
            if not go_on and any(self.folder.iterdir()):
                raise UserError(f"{self.folder}: already holds results; choose another output folder")
            shutil.rmtree(self._attempts, ignore_errors=True)
            os.mkdir(self._attempts)
            # The capture is in there too: from now on it will be found again.
            self._disk.sync_folder(self.folder.parent)
            self._disk.sync_folder(self.folder.absolute().parent.parent)
        except OSError as error:
            raise UserError(f"{error.filename or self.folder}: cannot be written: {error.strerror}") from None

    def new_attempt(self) -> str:
        """The folder for one attempt's results, which the worker is to make; absolute."""
        self._named += 1
        return f"{self._attempts}/{self._session}-{self._named}"

    def place(self, file: InputFile, attempt: str) -> int:
        """Move everything the attempt has left in its folder to its final place; returns how many entries.

        It is there for certain only after `sync`. Raises OSError, and then nothing of it is in place.
        """
        names = sorted(os.listdir(attempt))
        target = self.folder / place_results(file, names)
        self._touched.add(target)
        try:
            if target != self.folder:
                self._touched.add(self.folder)
                self._disk.make_folder(target)
            for name in names:
                self._disk.rename(f"{attempt}/{name}", target / name)
        except OSError:
            self.withdraw([file])
            raise
        return len(names)

    def sync(self) -> None:
        """Wait until the disk has everything that was placed since the last time. Raises OSError."""
        touched, self._touched = self._touched, set()
        for folder in sorted(touched, reverse=True):
            self._disk.sync_folder(folder)

    def are_intact(self, expected: Sequence[tuple[InputFile, Manifest]]) -> list[bool]:
        """Whether what is in place of each file is what is expected of it."""
        standing = self._standing([file for file, _ in expected])
        return [self._is(file, names, then) for (file, then), names in zip(expected, standing, strict=True)]

    def _is(self, file: InputFile, names: Sequence[str], then: Manifest) -> bool:
        directly = {os.fspath(self.folder / name) for name in names}
        own = os.fspath(self.folder / file.id)
        inside = {f"{own}/{name}" for name in os.listdir(own)} if os.path.isdir(own) else {own} & directly
        try:
            # A folder called by the input's id holds its results, or is itself one, which the job has made.
            return then in (measure(directly - {own} | inside), measure(directly))
        except OSError:
            return False

    def withdraw(self, files: Sequence[InputFile]) -> None:
        """Remove what is in place of each of `files`, as far as that can be done."""
        for file, names in zip(files, self._standing(files), strict=True):
            for name in {*names, file.id}:
                try:
                    self._disk.remove(self.folder / name)
                except OSError:
                    continue  # the next attempt will say so when it gets in its way

    def _standing(self, files: Sequence[InputFile]) -> list[list[str]]:
        """What stands directly in the results folder of each of `files`."""
        try:
            return results_of(files, os.listdir(self.folder))
        except OSError:
            return [[] for _ in files]

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
