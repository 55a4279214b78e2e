"""Everything this package raises on purpose.

    BusError
    ├── UserError            the user can mend it; the command line prints one line and exits 2
    │   ├── InputError       an input file or folder cannot be used
    │   ├── AddressError     a run folder or address cannot be reached
    │   └── CaptureError     a file is not a capture, or not one of a version we read
    ├── SnapshotError        bytes that are not a fold of this version's
    ├── FrameError           bytes that are not an event of ours; has a short `reason` to count by
    ├── ForkedPublisherError a publisher was carried across fork(); connect again in the child
    └── ChannelError         the launcher and a worker do not understand each other

Foreign exceptions (zmq, msgspec, OSError) are turned into these where they come in, nowhere else.
"""

from __future__ import annotations


class BusError(Exception):
    """Base of all errors raised on purpose by virnucpro_bus, workers and monitor."""


class UserError(BusError):
    """Something the user can mend. The text is one line that says what to do."""


class InputError(UserError):
    """An input cannot be used: missing, unreadable, or not what it should be."""


class AddressError(UserError):
    """A run folder or address cannot be reached or used."""


class CaptureError(UserError):
    """A file is not a capture, or was written by a version that this one cannot read."""


class FrameError(BusError):
    """Bytes that are not an event of ours.

    `reason` is one of a small fixed set of words, so that refusals can be counted by it.
    """

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason


class SnapshotError(BusError):
    """Bytes that are not a fold which this version can take over."""


class ForkedPublisherError(BusError):
    """A publisher was carried across fork(): ZeroMQ sockets do not survive that."""


class ChannelError(BusError):
    """A message on the worker channel could not be understood or was never answered."""
