"""The names of the results that earlier sessions of a run have placed, as the journal holds them."""

from __future__ import annotations

from collections.abc import Iterator, KeysView

from virnucpro_bus.events.vocabulary import FileResults
from workers.commit.placement import Placement, names_in


class PastResults:
    """What was placed for each file, folded from the events in the order of the capture."""

    def __init__(self) -> None:
        self._latest: dict[str, tuple[str, list[str]]] = {}
        """Folder and names of the last placement, by file id."""
        self._former: dict[str, set[str]] = {}
        """Paths of all placements before that one, by file id."""
        self._committed: set[str] = set()
        """The files of which a placement was ever committed."""

    def add(self, event: FileResults) -> None:
        """Add the names of one event."""
        folder, names = names_in(event)
        if event.part and event.file in self._latest:
            self._latest[event.file][1].extend(names)
            return
        if event.file in self._latest:
            self._former.setdefault(event.file, set()).update(self._latest_of(event.file).paths())
        self._latest[event.file] = folder, list(names)

    def commit(self, file: str) -> None:
        """Note that the last placement of a file was committed."""
        self._committed.add(file)

    def of_commit(self, file: str, results: int) -> Placement | None:
        """Return the placement of a file's last commit, which had so many results; None: its names are unknown."""
        placement = self._latest_of(file) if file in self._latest else None
        return placement if placement is not None and placement.entries == results else None

    @property
    def files(self) -> KeysView[str]:
        """The files for which anything was ever placed."""
        return self._latest.keys()

    def paths(self, file: str) -> set[str]:
        """Return all paths that were ever placed for a file."""
        latest = self._latest_of(file).paths() if file in self._latest else ()
        return self._former.get(file, set()).union(latest)

    def replaced(self, file: str) -> set[str]:
        """Return the paths of a file that its last placement has replaced."""
        former = self._former.get(file, set())
        return former.difference(self._latest_of(file).paths()) if former else former

    def all_paths(self) -> set[str]:
        """Return all paths that were ever placed."""
        return set().union(*map(self.paths, self._latest))

    def entries(self, file: str) -> set[str]:
        """Return the names in the results folder that were ever given to results of a file, or to their folder."""
        return {path.partition("/")[0] for path in self.paths(file)}

    def never_committed(self) -> Iterator[str]:
        """Yield the files with results in place of which none was ever committed; "" stands for the run."""
        return (file for file in self._latest if file not in self._committed)

    def _latest_of(self, file: str) -> Placement:
        folder, names = self._latest[file]
        return Placement(folder, tuple(names))
