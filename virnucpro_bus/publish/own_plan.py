"""The plan of one worker: which files it is going to do, and how much work each of them is. Reads their sizes."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable

from virnucpro_bus.events.parts import parts_of
from virnucpro_bus.events.run_events import FilesAssigned, PlannedFile
from virnucpro_bus.events.vocabulary import MAX_COUNT, Origin
from virnucpro_bus.passed_numbers import as_figure
from virnucpro_bus.publish.file_names import FileNames, absolute

COST_PER_UNIT = 1_000_000
"""A cost that is passed is counted in millionths, since events hold integers."""
_FILES_PER_EVENT = 128
_NAME_BYTES_PER_EVENT = 16 << 10
"""A frame holds 64 KiB; a name is at most 4 kB long."""


def plan_events(
    device: str, files: Iterable[object], costs: Iterable[object] | None, names: FileNames
) -> list[FilesAssigned]:
    """Return the events that `device` is going to do `files`. A file that is named twice counts once.

    `costs` is the estimated work of each file, in any unit; None: its size, 0 where no such file exists.
    Raises ValueError for what is not a path, or not a cost from 0 on, and for another number of costs.
    """
    paths = list(files)
    amounts = None if costs is None else [_as_cost(cost) for cost in costs]
    if amounts is not None and len(amounts) != len(paths):
        raise ValueError(f"costs: must be one for each file: {len(paths)}, not {len(amounts)}")
    planned: dict[str, PlannedFile] = {}
    real_folders: dict[str, str] = {}
    for number, file in enumerate(paths):
        size_bytes, origin = _examine(absolute(file), real_folders)
        name = names.name_of(file)
        cost = size_bytes if amounts is None else amounts[number]
        planned.setdefault(name, PlannedFile(name, size_bytes, cost, origin=origin))
    parts = parts_of(planned.values(), _name_bytes, most_items=_FILES_PER_EVENT, most_bytes=_NAME_BYTES_PER_EVENT)
    return [FilesAssigned(device, tuple(part)) for part in parts]


def _as_cost(cost: object) -> int:
    return round(as_figure("costs", cost, 0.0, MAX_COUNT // COST_PER_UNIT) * COST_PER_UNIT)


def _examine(path: str, real_folders: dict[str, str]) -> tuple[int, Origin | None]:
    """Return the size of a file in bytes, and where it lies; 0 and None where that cannot be seen.

    `real_folders` keeps the paths of folders without links: of the many files of a folder each would ask for it.
    """
    try:
        status = os.stat(path)
        folder, name = os.path.split(path)
        if folder not in real_folders:
            real_folders[folder] = os.path.realpath(folder)
    except (OSError, ValueError):
        return 0, None
    version = f"{status.st_size} {status.st_mtime_ns}"
    return status.st_size, Origin(*map(_digest, (real_folders[folder], name, version, str(status.st_ino))))


def _digest(text: str) -> str:
    return hashlib.blake2b(os.fsencode(text), digest_size=16).hexdigest()


def _name_bytes(planned: PlannedFile) -> int:
    return len(planned.file.encode())
