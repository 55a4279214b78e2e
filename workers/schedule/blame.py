"""Whose fault it is that an attempt has ended in vain: the file's, the device's, or nobody's. Pure."""

from __future__ import annotations

from collections import Counter
from enum import Enum, auto

DEATHS_UNTIL_QUARANTINE = 3
DEATHS_UNTIL_RETIREMENT = 3
DEFAULT_RETRIES = 2


class Loss(Enum):
    """Why a worker is no more."""

    DIED = auto()
    """It ended without having been asked to, or was hung."""
    TIMED_OUT = auto()
    """It was ended because the file took too long: one of the file's failures, and no death."""
    STOPPED = auto()
    """It was ended because the run is: nobody's fault."""


class Culprit(Enum):
    """What a death says, together with those before it."""

    UNKNOWN = auto()
    FILE = auto()
    DEVICE = auto()


class Blame:
    """The attempts at each file, and what has become of them. Files and devices are numbers.

    A file has failed for good with its (retries + 1)-th failure, or its third death. A device is to blame once
    three different files have died on it since it last settled one, and on no other device.
    """

    def __init__(self, devices: int, retries: int) -> None:
        self._retries = retries
        self._attempts: Counter[int] = Counter()
        self._failures: Counter[int] = Counter()
        self._died_on: dict[int, list[int]] = {}
        self._suspected: list[set[int]] = [set() for _ in range(devices)]
        """By device: the files that have died on it since it last settled one."""

    def begin(self, file: int) -> int:
        """Another attempt; its number, from 1."""
        self._attempts[file] += 1
        return self._attempts[file]

    def attempts(self, file: int) -> int:
        """How often the file was tried."""
        return self._attempts[file]

    def is_last(self, file: int) -> bool:
        """Whether one more failure is the file's last."""
        return self._failures[file] >= self._retries

    def failed(self, file: int) -> bool:
        """An attempt has failed, or timed out. True when it was the last."""
        is_last = self.is_last(file)
        self._failures[file] += 1
        return is_last

    def died(self, file: int, device: int) -> Culprit:
        """A worker has died with the file in hand."""
        died_on = self._died_on.setdefault(file, [])
        died_on.append(device)
        suspected = self._suspected[device]
        suspected.add(file)
        if len(died_on) >= DEATHS_UNTIL_QUARANTINE:
            return Culprit.FILE
        # What has died elsewhere too speaks against itself.
        here_alone = [each for each in suspected if set(self._died_on[each]) == {device}]
        return Culprit.DEVICE if len(here_alone) >= DEATHS_UNTIL_RETIREMENT else Culprit.UNKNOWN

    def settled(self, device: int) -> None:
        """A worker of the device has brought an attempt to an end, in vain or not: it can live."""
        self._suspected[device].clear()
