"""Claims: which worker has begun a task that Dask may bring to any of them, and may bring to another once more.

A claim is a file beside the task's output folder, in the folder that all workers of the run share.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import NamedTuple

_SUFFIX = ".claim"


class Claim(NamedTuple):
    """Which worker has begun a task."""

    source: str
    epoch: int
    number: int
    """Counts what this worker has begun: the greatest is what it has in progress, or has done last."""


def claim(output: bytes, claimed: Claim) -> bool:
    """Claim the task of this output folder. Returns False if it was claimed before."""
    path = os.fsdecode(output) + _SUFFIX
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        return False
    except OSError:
        return True  # the attempt itself finds out, and reports, what is wrong with the folder
    with suppress(OSError), os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(" ".join(map(str, claimed)))
    return True


def claims_beside(output: bytes) -> dict[bytes, Claim]:
    """Return the claims beside this output folder, by the output folders, as far as they can be read."""
    found: dict[bytes, Claim] = {}
    with suppress(OSError), os.scandir(os.path.dirname(os.fsdecode(output))) as entries:
        for entry in entries:
            if entry.name.endswith(_SUFFIX) and (claimed := _read(entry.path)) is not None:
                found[os.fsencode(entry.path.removesuffix(_SUFFIX))] = claimed
    return found


def forget_claim(output: bytes) -> None:
    """Remove the claim of a task that is over."""
    with suppress(OSError):
        os.unlink(os.fsdecode(output) + _SUFFIX)


def _read(path: str) -> Claim | None:
    try:
        with open(path, encoding="ascii") as file:
            source, epoch, number = file.read(300).split(" ")
        return Claim(source, int(epoch), int(number))
    except (OSError, ValueError):
        return None
