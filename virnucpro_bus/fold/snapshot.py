"""Converts a fold to bytes and back, so that a viewer that joins late does not have to fold the whole history.

The layout follows from the declarations: of `HostState` and of all types in it. The bytes begin with a digest of
these, so a snapshot of another version of the program is refused and never misread.
"""

from __future__ import annotations

from functools import cache
from hashlib import blake2b
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from virnucpro_bus.errors import SnapshotError
from virnucpro_bus.events.envelope import ENVELOPES
from virnucpro_bus.events.vocabulary import MAX_COUNT, Count, FileCompleted
from virnucpro_bus.fold.gpu_history import UNKNOWN, GpuHistory
from virnucpro_bus.fold.host_fold import HostFold
from virnucpro_bus.fold.windows import Completions, RollingWindow

FORMAT_REVISION = 1
"""Incremented when the meaning of a field changes, but not its declaration."""
MAX_BYTES = 64 << 20
"""The size of the largest snapshot that is read."""
_DIGEST_BYTES = 16
# Leaves room for all that can still be added to such a sum after a snapshot was read.
_Sum = Annotated[int, Meta(ge=0, le=2**53)]
_OrUnknown = Annotated[int, Meta(ge=UNKNOWN, le=MAX_COUNT)]
# Field by field as in SampleBucket.
_Bucket = tuple[Count, _Sum, _Sum, _OrUnknown, _OrUnknown, _OrUnknown]


class Fold(msgspec.Struct, array_like=True):
    """All that a fleet has folded. How clocks compare is not part of it: that differs for every viewer."""

    refused: dict[str, Count]
    hosts: list[HostFold]


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
        return _decode(memoryview(data)[_DIGEST_BYTES:])
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


def _rebuilt(kind: type, value: Any) -> Any:
    if kind is RollingWindow:
        return RollingWindow(msgspec.convert(value, list[tuple[int, int, int]]))
    if kind is GpuHistory:
        return GpuHistory(msgspec.convert(value, list[list[_Bucket]]))
    if kind is Completions:
        completed: Any = ENVELOPES[FileCompleted]
        return Completions(msgspec.convert(value, list[completed]))
    raise NotImplementedError


_encode = msgspec.msgpack.Encoder(enc_hook=_plain).encode
_decode = msgspec.msgpack.Decoder(Fold, dec_hook=_rebuilt).decode
