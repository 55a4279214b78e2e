"""Results whose names the journal does not hold: it is damaged there, or an earlier version has written it.

They are found by their places: directly in the results folder those that are named after the input, else all in
the folder named by its id. Only results with the journalled manifest are found: where anything was added to them,
they stay unknown, and nothing is removed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from workers.commit.manifest import Manifest
from workers.commit.placement import Placement, list_names
from workers.commit.result_store import ResultStore
from workers.inputs.ids import folder_of, stems_covering
from workers.inputs.input_file import InputFile


class UnnamedResults:
    """Finds the results that lie in a results folder when it is created."""

    def __init__(self, store: ResultStore) -> None:
        self._store = store
        self._by_stem: dict[str, list[str]] | None = None
        """The entries of the results folder, by each stem that they may be named after; None: not listed yet."""

    def find(self, file: InputFile, expected: Manifest) -> Placement | None:
        """Return the results of `file` in place if they have the manifest `expected`, else None."""
        return next((each for each in self._candidates(file) if self._store.is_intact(each, expected)), None)

    def _candidates(self, file: InputFile) -> Iterator[Placement]:
        folder = os.fspath(self._store.folder)
        for place, entries in (("", self._entries().get(file.stem, ())), (folder_of(file.id), None)):
            try:
                yield Placement(place, list_names(os.path.join(folder, place), entries))
            except OSError:
                continue

    def _entries(self) -> dict[str, list[str]]:
        if self._by_stem is None:
            self._by_stem = {}
            folder = self._store.folder
            for name in os.listdir(folder) if folder.is_dir() else ():
                for stem in stems_covering(name):
                    self._by_stem.setdefault(stem, []).append(name)
        return self._by_stem
