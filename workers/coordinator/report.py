"""What a caller reports of a device's attempt at a file, checked before anything is changed by it."""

from __future__ import annotations

import os
from typing import NamedTuple

from virnucpro_bus.passed_numbers import as_count, as_seconds
from virnucpro_bus.publish.values import as_file_name, as_path
from workers.inputs.input_file import InputFile
from workers.inputs.input_files import InputFiles


class Report(NamedTuple):
    """How long an attempt took, and when it ended."""

    file: str
    """The file's id or path, as the caller names it."""
    seconds: float
    wall_ns: int | None
    """Wall-clock time of the end; None: now."""
    mono_ns: int | None
    """Monotonic time of the end; None: now."""

    def is_about(self, file: InputFile) -> bool:
        """Whether it is the report of this file."""
        return self.file == file.id or self.file == os.fspath(file.path)

    @property
    def name(self) -> str:
        """The file's base name, as an event can carry it."""
        return as_file_name(self.file)


def checked_report(file_path: object, duration: object, wall_ns: object, mono_ns: object) -> Report:
    """Return the report of these values. Raises ValueError for one that cannot be right."""
    return Report(
        as_path(file_path),
        as_seconds("duration", duration),
        None if wall_ns is None else as_count("wall_ns", wall_ns),
        None if mono_ns is None else as_count("mono_ns", mono_ns),
    )


class PlannedFiles:
    """The planned files by id and path, to find reports of others. The caller holds a lock."""

    def __init__(self, files: InputFiles) -> None:
        self._files = files
        self._numbers: dict[str, int] | None = None
        """Only made for callers that name files which they were not given."""

    def number(self, name: str) -> int | None:
        """Return the number of the file of this id or path; None: it is not planned."""
        if self._numbers is None:
            named = zip(self._files.ids, self._files.paths, strict=True)
            self._numbers = {name: number for number, names in enumerate(named) for name in names}
        return self._numbers.get(name)

    def has(self, report: Report) -> bool:
        """Whether the report is about a planned file."""
        return self.number(report.file) is not None
