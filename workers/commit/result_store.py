"""The results folder of a run: which path each result gets there, and moving an attempt's results into it.

Results named after their input lie directly in the results folder, all others in a folder named by the input's
id. `result_folder` applies that rule to an attempt, `results_of` finds results of the first sort again;
`ResultStore` does the file operations.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

from virnucpro_bus.errors import UserError
from virnucpro_bus.system.disk import Disk, problem_of_folder
from workers.commit.manifest import Manifest, measure
from workers.inputs.ids import covers, stems_covering
from workers.inputs.input_file import InputFile

RESULTS_NAME = "results"
ATTEMPTS_NAME = ".attempts"


def result_folder(input_file: InputFile, names: Sequence[str]) -> str:
    """Return the folder in the results folder that gets the results `names`; "": the results folder itself.

    That is the folder named by the input's id, unless all `names` are the input's stem or continue it with a dot.
    """
    if input_file.own_folder or not all(covers(input_file.stem, name) for name in names):
        return input_file.id
    return ""


def results_of(files: Sequence[InputFile], names: Iterable[str]) -> list[list[str]]:
    """Return for each of `files` its results among `names`, which lie directly in the results folder."""
    owners = {file.stem: number for number, file in enumerate(files) if not file.own_folder}
    found: list[list[str]] = [[] for _ in files]
    for name in names:
        owner = next((owners[stem] for stem in stems_covering(name) if stem in owners), None)
        if owner is not None:
            found[owner].append(name)
    return found


class ResultStore:
    """The results folder of a run, and beside it, on the same file system, the attempts' output folders."""

    def __init__(self, run_dir: Path, disk: Disk | None = None) -> None:
        self.folder = run_dir / RESULTS_NAME
        self._disk = disk or Disk()
        self._attempts = os.fspath(run_dir.absolute() / ATTEMPTS_NAME)
        # A worker that outlives its launcher for a moment must not write into the folders of a resumed run.
        self._session = secrets.token_hex(4)
        self._attempts_named = 0
        self._touched: set[Path] = set()
        """Folders with entries that are not synced yet."""

    def prepare(self, *, resume: bool = False) -> None:
        """Create both folders, and remove what earlier attempts left in theirs.

        `resume`: the results folder may contain results. Raises UserError when it does and may not, and when a
        folder cannot be written.
        """
        try:
            self._disk.make_folder(self.folder)
            if not resume and any(self.folder.iterdir()):
                raise UserError(f"{self.folder}: already holds results; choose another output folder")
            shutil.rmtree(self._attempts, ignore_errors=True)
            os.mkdir(self._attempts)
            # This folder also contains the capture, which must be found again after a power failure.
            self._disk.sync_folder(self.folder.parent)
            self._disk.sync_folder(self.folder.absolute().parent.parent)
        except OSError as error:
            raise UserError(f"{error.filename or self.folder}: cannot be written: {error.strerror}") from None

    def new_attempt(self) -> str:
        """Return the absolute path of a new attempt's output folder, which the worker creates."""
        self._attempts_named += 1
        return f"{self._attempts}/{self._session}-{self._attempts_named}"

    @property
    def has_attempts(self) -> bool:
        """Whether any file was handed out: `new_attempt` was called."""
        return self._attempts_named > 0

    def place(self, file: InputFile, attempt: str) -> int:
        """Move everything in the attempt's output folder to its final path; return how many entries.

        It survives a power failure only after `sync`. Raises OSError, and then nothing of it stays in place.
        """
        names = sorted(os.listdir(attempt))
        target = self.folder / result_folder(file, names)
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

    def problem(self) -> str | None:
        """Return why no results can be made or placed, in one line; None if they can."""
        return problem_of_folder(self._attempts) or problem_of_folder(self.folder)

    def sync(self) -> None:
        """Sync everything that was placed since the last call. Raises OSError."""
        touched, self._touched = self._touched, set()
        for folder in sorted(touched, reverse=True):
            self._disk.sync_folder(folder)

    def are_intact(self, expected: Sequence[tuple[InputFile, Manifest]]) -> list[bool]:
        """Return for each file whether its results in place have the manifest expected of them."""
        placed = self._placed([file for file, _ in expected])
        return [
            self._has_manifest(file, names, manifest)
            for (file, manifest), names in zip(expected, placed, strict=True)
        ]

    def _has_manifest(self, file: InputFile, names: Sequence[str], expected: Manifest) -> bool:
        directly = {os.fspath(self.folder / name) for name in names}
        own = os.fspath(self.folder / file.id)
        inside = {f"{own}/{name}" for name in os.listdir(own)} if os.path.isdir(own) else {own} & directly
        try:
            # The folder named by the input's id contains its results, or is one itself that the job created.
            return expected in (measure(directly - {own} | inside), measure(directly))
        except OSError:
            return False

    def withdraw(self, files: Sequence[InputFile]) -> None:
        """Remove the results in place of each of `files`, as far as possible."""
        for file, names in zip(files, self._placed(files), strict=True):
            for name in {*names, file.id}:
                try:
                    self._disk.remove(self.folder / name)
                except OSError:
                    continue  # it is reported when it is in the way of the next attempt

    def _placed(self, files: Sequence[InputFile]) -> list[list[str]]:
        """Return for each of `files` the names of its results directly in the results folder."""
        try:
            return results_of(files, os.listdir(self.folder))
        except OSError:
            return [[] for _ in files]

    def discard(self, attempt: str) -> None:
        """Remove the output folder of an attempt."""
        shutil.rmtree(attempt, ignore_errors=True)

    def tidy(self) -> None:
        """Remove the folder of all attempts, at the end of the run."""
        shutil.rmtree(self._attempts, ignore_errors=True)

    def remove_if_empty(self) -> None:
        """Remove the results folder if it is empty: undoes `prepare` for a run that could not begin."""
        try:
            self.folder.rmdir()
        except OSError:
            pass
