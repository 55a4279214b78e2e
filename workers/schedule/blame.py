"""Blame: whether an attempt that came to nothing is the file's fault, the device's, or unknown. Pure."""

from __future__ import annotations

from collections import Counter
from enum import Enum, auto

DEATHS_UNTIL_QUARANTINE = 3
DEATHS_UNTIL_RETIREMENT = 3
DEFAULT_RETRIES = 2


class Loss(Enum):
    """How a worker was lost."""

    DIED = auto()
    """It ended without being asked to, or was ended because it hung."""
    KILLED = auto()
    """It was killed from outside, by SIGKILL: by a user, or by the out-of-memory killer, for which a file may be
    the reason, but no device."""
    TIMED_OUT = auto()
    """It was ended because its attempt took too long: a failure of the file, and not a death."""
    STOPPED = auto()
    """It was ended because the run ends: neither a failure nor a death."""

    @property
    def is_death(self) -> bool:
        """Whether it ended, or hung, before it was to end."""
        return self in {Loss.DIED, Loss.KILLED}


class Culprit(Enum):
    """What a worker's death is blamed on, in the light of earlier deaths."""

    UNKNOWN = auto()
    FILE = auto()
    DEVICE = auto()


class Blame:
    """Counts the attempts at each file, their failures, and the deaths during them. Files and devices are numbers.

    A file has failed for good with its (retries + 1)-th failure or its third death. A device is to blame once
    three different files have died on it, and on no other device, since one of its workers last survived an
    attempt.
    """

    def __init__(self, devices: int, retries: int) -> None:
        self._retries = retries
        self._attempts: Counter[int] = Counter()
        self._failures: Counter[int] = Counter()
        self._died_on: dict[int, list[int]] = {}
        """By file: the device of each death."""
        self._suspected: list[set[int]] = [set() for _ in range(devices)]
        """By device: the files that have died on it since a worker last survived an attempt."""

    def add_device(self) -> None:
        """Count for one more device."""
        self._suspected.append(set())

    def start_attempt(self, file: int) -> int:
        """Count another attempt at the file; return its number, from 1."""
        self._attempts[file] += 1
        return self._attempts[file]

    def attempts(self, file: int) -> int:
        """Return how many attempts at the file were started."""
        return self._attempts[file]

    def is_last(self, file: int) -> bool:
        """Return whether the file has failed for good if it fails once more."""
        return self._failures[file] >= self._retries

    def record_failure(self, file: int) -> bool:
        """Count an attempt that failed or timed out; return whether it was the last."""
        is_last = self.is_last(file)
        self._failures[file] += 1
        return is_last

    def record_death(self, file: int, device: int, loss: Loss = Loss.DIED) -> Culprit:
        """Count a worker's death during an attempt; return what is to blame. `loss`: DIED or KILLED."""
        died_on = self._died_on.setdefault(file, [])
        died_on.append(device)
        suspected = self._suspected[device]
        if loss is Loss.DIED:
            suspected.add(file)
        if len(died_on) >= DEATHS_UNTIL_QUARANTINE:
            return Culprit.FILE
        # A file that has died on other devices too is itself the likelier culprit.
        only_here = [each for each in suspected if set(self._died_on[each]) == {device}]
        return Culprit.DEVICE if len(only_here) >= DEATHS_UNTIL_RETIREMENT else Culprit.UNKNOWN

    def acquit(self, device: int) -> None:
        """Clear a device of suspicion: its worker survived an attempt, whether that succeeded or failed."""
        self._suspected[device].clear()
