"""Converts a fold to bytes and back, so that a viewer that joins late does not have to fold the whole history.

    snapshot = layout (16 bytes) part* end        end = a part of 0 bytes
    part     = length (u32, little-endian) MessagePack

The first part is the fold without what grows with its run; each other one holds some entries of one collection
(`parts.py`). So a fold of a million files is converted a millisecond at a time, and its bytes are needed only
piece by piece.

The layout follows from the declarations: of `HostState` and of all types in it. The bytes begin with a digest of
these, so a snapshot of another version of the program is refused and never misread.

Bytes of a relay may be made to harm. Every value is checked against its declaration, and every field must be
there: were it left to its default, a few bytes could stand for thousands.
"""

from __future__ import annotations

import dataclasses
import struct
import threading
from collections.abc import Iterable, Iterator
from functools import cache
from hashlib import blake2b
from itertools import islice
from typing import Annotated, Any, get_type_hints

import msgspec
from msgspec import Meta

from virnucpro_bus.effect.work_log import WorkLog
from virnucpro_bus.errors import SnapshotError
from virnucpro_bus.events.commits import CommittedFiles
from virnucpro_bus.events.envelope import ENVELOPES
from virnucpro_bus.events.host_time import HostTime
from virnucpro_bus.events.vocabulary import MAX_COUNT, Count, FileCompleted
from virnucpro_bus.fold.device import DeviceState
from virnucpro_bus.fold.fold import Fold
from virnucpro_bus.fold.host_fold import HostFold
from virnucpro_bus.fold.stream import Stream
from virnucpro_bus.fold.windows import Completions, RollingWindow
from virnucpro_bus.samples.gpu_figures import UNKNOWN
from virnucpro_bus.samples.gpu_history import GpuHistory
from virnucpro_bus.snapshot.parts import COLLECTIONS, Committed, Completed, without_collections

FORMAT_REVISION = 3
"""Incremented when the meaning of a field changes, but not its declaration."""
MAX_BYTES = 512 << 20
"""The size of the largest snapshot that is read."""
MAX_ENTRIES = 12_000_000
"""How many entries of collections are read: a file that is planned, completed and committed has three."""
MAX_WINDOWS = 200_000
"""How many windows and histories are read: each device and each host has two, of about a kilobyte when empty."""
_DIGEST_BYTES = 16
_LENGTH = struct.Struct("<I")
_PART_BYTES = 1 << 17
"""About the length of a part, which takes about a millisecond."""
_FIRST_ENTRIES = 16
"""How many entries of a collection are in its first part; how long they are shows how many fit the next ones."""
# Leaves room for all that can still be added to such a sum after a snapshot was read.
_Sum = Annotated[int, Meta(ge=0, le=2**53)]
_OrUnknown = Annotated[int, Meta(ge=UNKNOWN, le=MAX_COUNT)]
# Field by field as in SampleBucket.
_Bucket = tuple[Count, _Sum, _Sum, _OrUnknown, _OrUnknown, _OrUnknown]


# Bytes from a fold.


def pack(fold: Fold) -> Iterator[bytes]:
    """Yield the bytes of `fold`, a part at a time. It must not change meanwhile."""
    yield _layout()
    yield _part(Fold(fold.refused, [without_collections(host) for host in fold.hosts]))
    for number, host in enumerate(fold.hosts):
        for which, collection in enumerate(COLLECTIONS):
            remaining = collection.entries(collection.of(host))
            count = _FIRST_ENTRIES
            while entries := list(islice(remaining, count)):
                yield (part := _part((number, which, collection.convert(entries))))
                count = max(1, min(4 * count, count * _PART_BYTES // len(part)))
    yield _LENGTH.pack(0)


def _part(content: Any) -> bytes:
    encoded = _encode(content)
    return _LENGTH.pack(len(encoded)) + encoded


@cache
def _layout() -> bytes:
    import msgspec.inspect  # only processes that make or read a snapshot need it

    declared = f"{FORMAT_REVISION} {msgspec.inspect.multi_type_info([Fold, Completed, Committed])}"
    return blake2b(declared.encode(), digest_size=_DIGEST_BYTES).digest()


def _plain(value: Any) -> Any:
    if isinstance(value, RollingWindow | GpuHistory | Completions):
        return list(value)
    raise NotImplementedError


_encode = msgspec.msgpack.Encoder(enc_hook=_plain).encode


# A fold from bytes.

_making_decoders = threading.Lock()
"""Two threads that make decoders of one type at the same time can crash in msgspec."""


def unpack(pieces: Iterable[bytes]) -> Fold:
    """Return the fold in bytes that `pack` of this version made, cut anywhere.

    Raises SnapshotError for all other bytes, and what iterating over `pieces` raises.
    """
    reader = _Reader()
    for piece in pieces:
        try:
            reader.read(piece)
        except SnapshotError:
            raise
        except Exception as error:
            # Depending on the damage the decoder raises its own errors, or those for UTF-8, recursion or memory.
            raise SnapshotError(f"a damaged snapshot: {error}") from None
    return reader.finish()


class _Reader:
    """Reads the bytes of one snapshot."""

    def __init__(self) -> None:
        hook = _Rebuilder()
        with _making_decoders:
            fold, kinds = _complete_types()
            self._decode_fold = msgspec.msgpack.Decoder(fold, dec_hook=hook).decode
            self._decode_part = msgspec.msgpack.Decoder(tuple[Count, Count, msgspec.Raw]).decode
            self._decode = [msgspec.msgpack.Decoder(kind, dec_hook=hook).decode for kind in kinds]
        self._unread = bytearray()
        self._has_layout = False
        self._fold: Fold | None = None
        self._has_ended = False
        self._bytes = self._entries = 0

    def read(self, data: bytes) -> None:
        self._bytes += len(data)
        if self._bytes > MAX_BYTES:
            raise SnapshotError(f"a snapshot of more than {MAX_BYTES} bytes is refused")
        self._unread += data
        position = 0
        if not self._has_layout and len(self._unread) >= _DIGEST_BYTES:
            position, self._has_layout = _DIGEST_BYTES, True
            if not self._unread.startswith(_layout()):
                raise SnapshotError("not a snapshot, or made by another version")
        while self._has_layout and len(self._unread) - position >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._unread, position)
            start = position + _LENGTH.size
            if len(self._unread) - start < length:
                break
            position = start + length
            self._add(bytes(self._unread[start:position]))
        del self._unread[:position]

    def _add(self, part: bytes) -> None:
        if self._has_ended:
            raise ValueError("it continues after its end")
        if not part:
            self._has_ended = True
        elif self._fold is None:
            self._fold = self._decode_fold(part)
        else:
            number, which, content = self._decode_part(part)
            collection = COLLECTIONS[which]
            self._entries += collection.add(collection.of(self._fold.hosts[number]), self._decode[which](content))
            if self._entries > MAX_ENTRIES:
                raise ValueError(f"more than {MAX_ENTRIES} entries")

    def finish(self) -> Fold:
        if self._fold is None or not self._has_ended or self._unread:
            raise SnapshotError("not a snapshot, or cut short")
        return self._fold


class _Rebuilder:
    """Makes the windows and histories of one snapshot. Raises ValueError when there are too many."""

    def __init__(self) -> None:
        self._left = MAX_WINDOWS

    def __call__(self, kind: type, value: Any) -> Any:
        self._left -= 1
        if self._left < 0:
            raise ValueError(f"more than {MAX_WINDOWS} windows and histories")
        if kind is RollingWindow:
            return RollingWindow(msgspec.convert(value, list[tuple[int, int, int]]))
        if kind is GpuHistory:
            return GpuHistory(msgspec.convert(value, list[list[_Bucket]]))
        if kind is Completions:
            completed: Any = ENVELOPES[FileCompleted]
            return Completions(msgspec.convert(value, list[completed]))
        raise NotImplementedError


@cache
def _complete_types() -> tuple[Any, list[Any]]:
    """Return the types of a Fold and of the contents of parts, in none of which a field may be missing."""
    stream, device = _complete(Stream), _complete(DeviceState)
    log, committed = _complete(WorkLog), _complete(CommittedFiles)
    host = _complete(
        HostFold,
        _streams=dict[str, dict[Count, stream]],  # type: ignore[valid-type]
        _devices=dict[str, device],  # type: ignore[valid-type]
        _log=log,
        _committed=committed,
        _time=_complete(HostTime),
    )
    special = {"_log": _complete(Completed), "_committed._last": _complete(Committed)}
    hints = get_type_hints(host, include_extras=True)
    hints |= {f"_log.{name}": kind for name, kind in get_type_hints(log, include_extras=True).items()} | special
    return _complete(Fold, hosts=list[host]), [hints[each.path] for each in COLLECTIONS]  # type: ignore[valid-type]


def _complete(kind: Any, **retyped: Any) -> Any:
    """Return a variant of `kind` that is decoded only with all its fields; `retyped` are new types of some."""
    types = get_type_hints(kind, include_extras=True) | retyped
    if issubclass(kind, msgspec.Struct):
        fields = [(name, types[name]) for name in kind.__struct_fields__]
        return msgspec.defstruct(kind.__name__, fields, bases=(kind,), array_like=True)
    named = [(field.name, types[field.name]) for field in dataclasses.fields(kind)]
    return dataclasses.make_dataclass(kind.__name__, named, bases=(kind,), slots=True, eq=False)
