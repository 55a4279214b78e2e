"""Which files of a run are done: by what the coordinator has committed and reopened, and by nothing else.

Completions are counted per stream and corrected by heartbeats, so a damaged or a foreign event can make their sum
wrong. A commit names its file: however often it is recorded, that file is done once.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from msgspec import Struct

from virnucpro_bus.events.vocabulary import Count


# Of a million files there are a million: this takes less time and memory than a tuple, and no search for garbage.
class Commit(Struct, frozen=True, array_like=True, gc=False):
    """The last word about one file: committed by a device, or reopened."""

    epoch: Count
    seq: Count
    """With `epoch`, the place in the coordinator's stream: the last one counts."""
    device: str
    sequences: Count | None
    """None: unknown, because an older version recorded it."""
    is_done: bool


class Done(NamedTuple):
    """How much is done."""

    files: Count = 0
    sequences: Count = 0
    unknown: Count = 0
    """Those of `files` of which the number of sequences is unknown, and not in `sequences`."""


# Its fields are set with every commit, as those of SequenceTracker are.
@dataclass(slots=True, eq=False)
class CommittedFiles:
    """The files that are done, by name. The order in which events arrive does not matter. Not thread-safe."""

    has_commits: bool = False
    """Whether anything was ever committed: else there is no coordinator, or it has committed nothing yet."""
    _last: dict[str, Commit] = field(default_factory=dict)
    _by_device: dict[str, Done] = field(default_factory=dict)

    def add(self, file: str, commit: Commit) -> None:
        """Note that a file was committed or reopened, unless a later word about it is known."""
        self.has_commits |= commit.is_done
        known = self._last.get(file)
        if known is not None:
            if (known.epoch, known.seq) >= (commit.epoch, commit.seq):
                return
            self._count(known, -1)
        self._last[file] = commit
        self._count(commit, 1)

    def has(self, file: str) -> bool:
        """Return whether a file is done."""
        known = self._last.get(file)
        return known is not None and known.is_done

    def correct(self, files: int, sequences: int, device: str | None = None) -> tuple[int, int]:
        """Return the numbers of completed files and of their sequences by the commits, for a device or (None) all.

        Where nothing was ever committed they are `files` and `sequences`, as the streams count them.
        """
        if not self.has_commits:
            return files, sequences
        each = self._by_device.values() if device is None else [self._by_device.get(device, Done())]
        done = Done(*(sum(column) for column in zip(Done(), *each, strict=True)))
        return done.files, sequences if done.unknown else done.sequences

    def _count(self, commit: Commit, sign: int) -> None:
        if commit.is_done:
            files, sequences, unknown = self._by_device.get(commit.device, Done())
            sequences += sign * (commit.sequences or 0)
            self._by_device[commit.device] = Done(
                files + sign, sequences, unknown + sign * (commit.sequences is None)
            )
