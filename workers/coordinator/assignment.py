"""What the coordinator hands out: a file, leased to a device."""

from __future__ import annotations

from msgspec import Struct

from workers.inputs.input_file import InputFile


# Not dataclasses: every file has one of each, and a frozen one takes many times as long to make.
class Assignment(Struct, frozen=True):
    """A file leased to a device. The lease ends with a completion, a failure, or the loss of the worker."""

    file: InputFile
    attempt: int
    """From 1."""
    stolen_from: str | None = None
    """Key of the victim; None: not stolen."""
    stolen_at_ns: int = 0
    """Wall-clock time of the steal; 0: not stolen."""
    is_last: bool = True
    """Whether the file is not tried again if this attempt fails."""


class PendingFile(Struct, frozen=True):
    """A file that no device holds, for callers who decide themselves which device gets it."""

    file: InputFile
    owner: str | None
    """Key of the device in whose queue it is; None: it is in none, because an attempt came to nothing."""
    attempt: int
    """The number of its next attempt, from 1."""
    is_last: bool
    """Whether the file is not tried again if that attempt fails."""
