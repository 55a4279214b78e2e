"""The exceptions that virnucpro_bus, workers and monitor raise on purpose.

    BusError
    ├── UserError            the user can correct it; the command line prints one line and exits 2
    │   ├── DoNotRetry       a job fails a file that would fail again, whichever device tries it
    │   │   └── InputError   an input file or folder cannot be used
    │   ├── AddressError     a run folder or address cannot be reached
    │   │   ├── EndedError   no run is live in this folder
    │   │   └── NoAnswerError  nothing answers at this address yet
    │   ├── CaptureError     a file is not a capture, or one of a newer version
    │   └── EveryFileError   what failed one file fails every file: the run ends
    ├── SnapshotError        bytes are not a fold of this version
    ├── FrameError           bytes are not an event; has a short `reason` to count by
    └── ChannelError         the launcher and a worker do not understand each other

Exceptions of other libraries (zmq, msgspec, OSError) are converted to these where they occur, nowhere else.
"""

from __future__ import annotations


class BusError(Exception):
    """Base of all exceptions raised on purpose by virnucpro_bus, workers and monitor."""


class UserError(BusError):
    """A problem that the user can correct. The text is one line: the thing, what is wrong, what to do."""


class DoNotRetry(UserError):
    """A job raises it for a file that would fail again in every attempt, on every device: it is tried only once.

    The text is the reason, as it is. A job may have subclasses of its own.
    """


class InputError(DoNotRetry):
    """An input file or folder cannot be used: missing, unreadable, or of the wrong kind."""


class AddressError(UserError):
    """A run folder or address cannot be reached or used."""


class EndedError(AddressError):
    """No run is live in a folder: it has ended, was interrupted, or never began."""


class NoAnswerError(AddressError):
    """Nothing answers at an address, which may change: a run there may only begin later."""


class CaptureError(UserError):
    """A file is not a capture, or was written by a newer version."""


class EveryFileError(UserError):
    """What failed an attempt at one file fails every file: the job or the disk is at fault, and the run ends."""


class FrameError(BusError):
    """Bytes are not an event.

    `reason` is one of a small fixed set of words (docs/events.md), so that refusals can be counted by it.
    """

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason


class SnapshotError(BusError):
    """Bytes are not a fold that this version can load."""


class ChannelError(BusError):
    """A message between the launcher and a worker could not be decoded, or was never answered."""
