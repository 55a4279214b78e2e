"""Converts a fold to bytes and back, so that a viewer that joins late does not have to fold the whole history.

The layout follows from the declarations: of `HostState` and of all types in it. The bytes begin with a digest of
these, so a snapshot of another version of the program is refused and never misread.

Bytes of a relay may be made to harm. Every value is checked against its declaration, and every field must be
there: were it left to its default, a few bytes could stand for thousands.
"""

from __future__ import annotations

import dataclasses
import threading
from functools import cache
from hashlib import blake2b
from typing import Annotated, Any, get_type_hints

import msgspec
from msgspec import Meta

from virnucpro_bus.effect.work_log import WorkLog
from virnucpro_bus.errors import SnapshotError
from virnucpro_bus.events.envelope import ENVELOPES
from virnucpro_bus.events.host_time import HostTime
from virnucpro_bus.events.sequence import SequenceTracker
from virnucpro_bus.events.vocabulary import MAX_COUNT, Count, FileCompleted
from virnucpro_bus.fold.device import DeviceState
from virnucpro_bus.fold.host_fold import HostFold
from virnucpro_bus.fold.stream import Stream
from virnucpro_bus.fold.windows import Completions, RollingWindow
from virnucpro_bus.samples.gpu_figures import UNKNOWN
from virnucpro_bus.samples.gpu_history import GpuHistory

FORMAT_REVISION = 2
"""Incremented when the meaning of a field changes, but not its declaration."""
MAX_BYTES = 64 << 20
"""The size of the largest snapshot that is read."""
MAX_COLLECTIONS = 200_000
"""How many windows and histories are read: each device and each host has two, of about a kilobyte when empty."""
_DIGEST_BYTES = 16
# Leaves room for all that can still be added to such a sum after a snapshot was read.
_Sum = Annotated[int, Meta(ge=0, le=2**53)]
_OrUnknown = Annotated[int, Meta(ge=UNKNOWN, le=MAX_COUNT)]
# Field by field as in SampleBucket.
_Bucket = tuple[Count, _Sum, _Sum, _OrUnknown, _OrUnknown, _OrUnknown]


class Fold(msgspec.Struct, array_like=True):
    """All that a fleet has folded. Times of receipt in it are by the clock of whoever has folded it."""

    refused: dict[str, Count]
    hosts: list[HostFold]

    def includes(self, other: Fold) -> bool:
        """Whether all events that `other` has folded are folded here too."""
        seen = {(host.host, *name): stream.seen for host in self.hosts for *name, stream in host.streams()}
        nothing = SequenceTracker()
        return all(
            seen.get((host.host, *name), nothing).includes(stream.seen)
            for host in other.hosts
            for *name, stream in host.streams()
        )


_making_decoder = threading.Lock()
"""Two threads that make decoders of one type at the same time can crash in msgspec."""


def pack(fold: Fold) -> bytes:
    """Return `fold` as bytes."""
    return _layout() + _encode(fold)


def unpack(data: bytes) -> Fold:
    """Return the fold in bytes that `pack` of this version made. Raises SnapshotError for all other bytes."""
    if not data.startswith(_layout()):
        raise SnapshotError("not a snapshot, or made by another version")
    if len(data) > MAX_BYTES:
        raise SnapshotError(f"a snapshot of more than {MAX_BYTES} bytes is refused")
    try:
        with _making_decoder:
            decoder = msgspec.msgpack.Decoder(_complete_fold(), dec_hook=_Rebuilder())
        fold: Fold = decoder.decode(memoryview(data)[_DIGEST_BYTES:])
        return fold
    except Exception as error:
        # Depending on the damage the decoder raises its own errors, or those for UTF-8, recursion or memory.
        raise SnapshotError(f"a damaged snapshot: {error}") from None


@cache
def _layout() -> bytes:
    import msgspec.inspect  # only processes that make or read a snapshot need it

    declared = f"{FORMAT_REVISION} {msgspec.inspect.type_info(Fold)}"
    return blake2b(declared.encode(), digest_size=_DIGEST_BYTES).digest()


def _plain(value: Any) -> Any:
    if isinstance(value, RollingWindow | GpuHistory | Completions):
        return list(value)
    raise NotImplementedError


class _Rebuilder:
    """Makes the collections of one snapshot. Raises ValueError when there are too many."""

    def __init__(self) -> None:
        self._left = MAX_COLLECTIONS

    def __call__(self, kind: type, value: Any) -> Any:
        self._left -= 1
        if self._left < 0:
            raise ValueError(f"more than {MAX_COLLECTIONS} windows and histories")
        if kind is RollingWindow:
            return RollingWindow(msgspec.convert(value, list[tuple[int, int, int]]))
        if kind is GpuHistory:
            return GpuHistory(msgspec.convert(value, list[list[_Bucket]]))
        if kind is Completions:
            completed: Any = ENVELOPES[FileCompleted]
            return Completions(msgspec.convert(value, list[completed]))
        raise NotImplementedError


@cache
def _complete_fold() -> Any:
    """Return the type of a Fold in which no field may be missing."""
    stream, device = _complete(Stream), _complete(DeviceState)
    streams, devices = dict[str, dict[Count, stream]], dict[str, device]  # type: ignore[valid-type]
    parts = {"_log": _complete(WorkLog), "_time": _complete(HostTime)}
    host = _complete(HostFold, _streams=streams, _devices=devices, **parts)
    return _complete(Fold, hosts=list[host])  # type: ignore[valid-type]


def _complete(kind: Any, **retyped: Any) -> Any:
    """Return a variant of `kind` that is decoded only with all its fields; `retyped` are new types of some."""
    types = get_type_hints(kind, include_extras=True) | retyped
    if issubclass(kind, msgspec.Struct):
        fields = [(name, types[name]) for name in kind.__struct_fields__]
        return msgspec.defstruct(kind.__name__, fields, bases=(kind,), array_like=True)
    named = [(field.name, types[field.name]) for field in dataclasses.fields(kind)]
    return dataclasses.make_dataclass(kind.__name__, named, bases=(kind,), slots=True, eq=False)


_encode = msgspec.msgpack.Encoder(enc_hook=_plain).encode
