"""What shows of each file of a plan that it is as planned: of a million files it takes little memory."""

from __future__ import annotations

from collections.abc import Iterable, KeysView

from virnucpro_bus.events.run_events import PlannedFile


class AsPlanned:
    """The identities of planned files, and where their results go, as planned last. By id.

    Nearly always all inputs of a resumed run are as planned, and nothing else of the plan is needed.
    """

    def __init__(self, files: Iterable[PlannedFile] = ()) -> None:
        self._identities: dict[str, str] = {}
        self._own_folders: dict[str, bool | None] = {}
        """Of the files of which it is not False: few."""
        self.add(files)

    def add(self, files: Iterable[PlannedFile]) -> None:
        """Add files; what was planned of them before no longer counts."""
        for file in files:
            self._identities[file.file] = file.identity
            if file.own_folder is not False:
                self._own_folders[file.file] = file.own_folder
            elif self._own_folders:
                self._own_folders.pop(file.file, None)

    @property
    def ids(self) -> KeysView[str]:
        """The ids of the files."""
        return self._identities.keys()

    def has(self, file: str, identity: str) -> bool:
        """Whether a file was planned with this id and identity. An identity that is unknown, "", is no file's."""
        return self._identities.get(file) == identity != ""

    def own_folder(self, file: str) -> bool | None:
        """Return whether all results of a file go to a folder of its own; None: it is not planned, or unknown."""
        return self._own_folders.get(file, False if file in self._identities else None)
