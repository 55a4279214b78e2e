"""Bytes <-> envelopes; the only file that packs or unpacks events.

One frame is one MessagePack array of ten elements:

    [kind, version, run, host, source, epoch, seq, wall_ns, mono_ns, [fields of the event ...]]

The kind stands first and ends in "/", so the frame's own leading bytes are its topic: a ZeroMQ subscription to
`topic_prefix(kind)` filters without a second message part, and a frame is complete in itself.

Kinds declared in `events` are read by one typed decoder, which refuses wrong types, NaN, infinities and values
out of range. What is not declared there (a newer version's kinds) is read without a schema, under limits, as a
`Foreign`: it is kept and shown, never guessed at.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Union

import msgpack
import msgspec

from virnucpro_bus.errors import FrameError
from virnucpro_bus.events.envelope import ENVELOPES, Envelope
from virnucpro_bus.events.vocabulary import KINDS, MAX_COUNT, VERSION

MAX_FRAME_BYTES = 64 * 1024
MAX_TEXT_BYTES = 4096
MAX_ITEMS = 64
HEADER_FIELDS = 10

encode = msgspec.msgpack.Encoder().encode
"""Envelope -> frame. Does not check ranges: the decoder on the other side does."""

# The union is built from a table, which no static type can spell.
_typed_decode = msgspec.msgpack.Decoder(Union[tuple(ENVELOPES.values())]).decode  # noqa: UP007


@dataclass(frozen=True)
class Foreign:
    """A well-formed frame of a kind or version that this program does not know. `body` is what was in it."""

    kind: str
    version: int
    run: str
    host: str
    source: str
    epoch: int
    seq: int
    wall_ns: int
    mono_ns: int
    body: Any
    event: object = None
    """None, where an Envelope has its event; of one whose content is left out on purpose, something else."""


def decode(frame: bytes) -> Envelope | Foreign:
    """Read one frame. Raises FrameError with a countable reason for anything that is not an event."""
    if len(frame) > MAX_FRAME_BYTES:
        raise FrameError("oversized", f"{len(frame)} bytes")
    try:
        envelope: Envelope = _typed_decode(frame)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as why:
        return _decode_foreign(frame, why)
    return envelope


def decode_all(frames: Sequence[bytes], refused: Counter[str]) -> list[Envelope | Foreign]:
    """Read many frames; what is not an event is counted in `refused` by reason and left out."""
    try:
        # Nearly always all are of kinds that we know, and this is all there is to do.
        envelopes: list[Envelope | Foreign] = [_typed_decode(frame) for frame in frames]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        envelopes = []
    else:
        if max(map(len, frames), default=0) <= MAX_FRAME_BYTES:
            return envelopes
        envelopes.clear()
    for frame in frames:
        try:
            envelopes.append(decode(frame))
        except FrameError as error:
            refused[error.reason] += 1
    return envelopes


def topic_prefix(kind: str) -> bytes:
    """The bytes with which every version-1 frame of `kind` begins, for use as a ZeroMQ subscription."""
    packed: bytes = msgpack.packb(kind)
    return bytes([0x90 + HEADER_FIELDS]) + packed


_KNOWN_PREFIXES = tuple(topic_prefix(kind) + bytes([VERSION]) for kind in KINDS)


def _decode_foreign(frame: bytes, why: Exception) -> Foreign:
    try:
        parts = msgpack.unpackb(
            frame,
            strict_map_key=False,
            max_str_len=MAX_TEXT_BYTES,
            max_array_len=MAX_ITEMS,
            max_map_len=MAX_ITEMS,
            max_bin_len=0,
            max_ext_len=0,
        )
    except Exception as error:
        # msgpack raises ValueError, its own exceptions and UnicodeDecodeError, depending on what is wrong.
        if isinstance(why, msgspec.ValidationError) and frame.startswith(_KNOWN_PREFIXES):
            raise FrameError("bad-fields", str(why)) from None
        raise FrameError("not-messagepack", type(error).__name__) from None
    if not isinstance(parts, list) or len(parts) < HEADER_FIELDS:
        raise FrameError("not-an-event", "no array of ten elements")
    kind, version = parts[0], parts[1]
    if not isinstance(kind, str) or not 1 < len(kind) <= 256 or kind[-1] != "/":
        raise FrameError("not-an-event", "no kind")
    header = parts[1:9]
    texts, numbers = header[1:4], [version, *header[4:]]
    if not all(isinstance(text, str) and len(text) <= 256 for text in texts):
        raise FrameError("bad-header", "run, host and source must be text")
    if not all(type(number) is int and 0 <= number <= MAX_COUNT for number in numbers) or numbers[2] < 1:
        raise FrameError("bad-header", "version, epoch, seq and times must be counts")
    if version == VERSION and kind in KINDS:
        # A kind that we do know and that did not pass the typed decoder is wrong, not new.
        raise FrameError("bad-fields", str(why))
    return Foreign(*parts[:HEADER_FIELDS])
