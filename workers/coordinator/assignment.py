"""What the coordinator hands out: a file, leased to a device."""

from __future__ import annotations

from dataclasses import dataclass

from workers.inputs.input_file import InputFile


@dataclass(frozen=True)
class Assignment:
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
