"""The states that a disk may be in after a power failure: any part of what was not synced is missing.

`Recording` notes the operations of a run. `states` gives, for every moment at which the power could go, what may
be on disk then: what was synced before, and of what was not every selection, or many where there are too many.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from virnucpro_bus.files.disk import Disk, StrPath

_EXHAUSTIVE = 6
_RANDOM = 20


@dataclass(frozen=True)
class Operation:
    """One operation. `what` is write, truncate, rename, remove, folder, sync or sync folder."""

    what: str
    path: str
    source: str = ""
    offset: int = 0
    data: bytes = b""
    folder: str | None = ""
    """Whose sync brings the name to the disk; None: nothing does."""

    @property
    def is_sync(self) -> bool:
        return self.what.startswith("sync")

    def is_covered_by(self, later: Operation) -> bool:
        """Whether a later operation brings this one to the disk."""
        if self.what in ("write", "truncate"):
            return later.what == "sync" and later.path == self.path
        return later.what == "sync folder" and later.path == self.folder


class Recording(Disk):
    """A disk that notes what is done to it, by paths below `root`."""

    def __init__(self, root: Path) -> None:
        self.operations: list[Operation] = []
        self._root = root.absolute()
        self._written: set[str] = set()

    def _name(self, path: StrPath) -> str:
        name = os.path.relpath(os.path.abspath(path), self._root)
        return "" if name == "." else name

    def _of(self, descriptor: int) -> str:
        return self._name(os.readlink(f"/proc/self/fd/{descriptor}"))

    def write(self, descriptor: int, data: bytes | memoryview) -> int:
        offset, path = os.fstat(descriptor).st_size, self._of(descriptor)
        written = super().write(descriptor, data)
        self._written.add(path)
        self.operations.append(Operation("write", path, offset=offset, data=bytes(data[:written])))
        return written

    def truncate(self, descriptor: int, size_bytes: int) -> None:
        super().truncate(descriptor, size_bytes)
        self.operations.append(Operation("truncate", self._of(descriptor), offset=size_bytes))

    def sync(self, descriptor: int) -> None:
        super().sync(descriptor)
        path = self._of(descriptor)
        if os.path.isdir(self._root / path):
            self.operations.append(Operation("sync folder", path))
            return
        if path not in self._written:
            # Written by a job, without our knowing.
            self.operations.append(Operation("write", path, data=(self._root / path).read_bytes()))
        self.operations.append(Operation("sync", path))

    def make_folder(self, path: StrPath) -> None:
        if os.path.isdir(path):
            return
        super().make_folder(path)
        name = self._name(path)
        self.operations.append(Operation("folder", name, folder=os.path.dirname(name)))

    def rename(self, source: StrPath, target: StrPath) -> None:
        # What a job makes in folders is not noted: they move whole, with what is in them.
        old, new = self._name(source), self._name(target)
        inside = [
            os.path.relpath(os.path.join(top, name), source) for top, _, names in os.walk(source) for name in names
        ]
        synced = {each.path for each in self.operations if each.what == "sync folder"}
        self.operations += [
            Operation(
                "rename",
                f"{new}/{name}",
                f"{old}/{name}",
                # What a folder holds is on disk only if that was synced too, before.
                folder=os.path.dirname(new) if os.path.dirname(f"{old}/{name}") in synced else None,
            )
            for name in inside
        ] or [Operation("rename", new, old, folder=os.path.dirname(new))]
        super().rename(source, target)

    def remove(self, path: StrPath) -> None:
        super().remove(path)
        self._note_removal(path)

    def unlink(self, path: StrPath) -> None:
        super().unlink(path)
        self._note_removal(path)

    def remove_empty_folder(self, path: StrPath) -> None:
        super().remove_empty_folder(path)
        self._note_removal(path)

    def _note_removal(self, path: StrPath) -> None:
        name = self._name(path)
        self.operations.append(Operation("remove", name, folder=os.path.dirname(name)))


def states(before: dict[str, bytes], operations: Sequence[Operation], seed: int) -> Iterator[dict[str, bytes]]:
    """The contents of files, by path, that there may be after a crash; none of them twice.

    `before` is what was on disk before the first operation.
    """
    chance = random.Random(seed)
    seen: set[frozenset[tuple[str, bytes]]] = set()
    for end in range(len(operations) + 1):
        past = operations[:end]
        doubtful = [
            at
            for at, each in enumerate(past)
            if not each.is_sync and not any(each.is_covered_by(later) for later in past[at:])
        ]
        for lost in _selections(doubtful, chance):
            found = _after(before, past, lost, chance)
            key = frozenset(found.items())
            if key not in seen:
                seen.add(key)
                yield found


def _selections(doubtful: list[int], chance: random.Random) -> Iterator[set[int]]:
    sizes = range(len(doubtful) + 1) if len(doubtful) <= _EXHAUSTIVE else (0, 1, len(doubtful))
    for size in sizes:
        yield from map(set, combinations(doubtful, size))
    if len(doubtful) > _EXHAUSTIVE:
        for _ in range(_RANDOM):
            yield {at for at in doubtful if chance.random() < 0.5}


def _after(
    before: dict[str, bytes], past: Sequence[Operation], lost: set[int], chance: random.Random
) -> dict[str, bytes]:
    """The files after all operations but the lost ones; of a lost write, a part may have come through."""
    files, no_folders = dict(before), set[str]()
    for at, each in enumerate(past):
        content = files.get(each.path, b"")
        if each.what == "write":
            data = each.data
            if at in lost:
                data = data[: chance.randrange(len(data))] if data and chance.random() < 0.3 else b""
            if data or each.path not in files:
                head = content.ljust(each.offset, b"\0")[: each.offset]
                files[each.path] = head + data + content[each.offset + len(data) :]
        elif at in lost:
            no_folders |= {each.path} if each.what == "folder" else set()
        elif each.what == "truncate":
            files[each.path] = content[: each.offset]
        elif each.what == "rename" and each.source in files:
            files[each.path] = files.pop(each.source)
        elif each.what == "remove":
            below = f"{each.path}/"
            files = {
                path: data for path, data in files.items() if path != each.path and not path.startswith(below)
            }
    return {path: data for path, data in files.items() if os.path.dirname(path) not in no_folders}


def lay_out(files: dict[str, bytes], root: Path) -> None:
    """Make `files` below `root`."""
    for path, content in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(content)
