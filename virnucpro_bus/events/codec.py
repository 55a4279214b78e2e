"""Bytes <-> envelopes: the only module that decodes events; it hands on what encodes them (`encoder.py`).

One frame is one MessagePack array of ten elements:

    [kind, version, run, host, source, epoch, seq, wall_ns, mono_ns, [fields of the event ...]]

The kind comes first and ends in "/", so a frame's leading bytes are its topic: a ZeroMQ subscription to
`topic_prefix(kind)` filters without a second message part, and a frame is complete in itself.

The kinds of `vocabulary.py` are decoded by one typed decoder, which refuses wrong types, NaN, infinities and
values out of range. Other kinds (of a newer version) are decoded without declarations, under limits, as a
`Foreign`: kept and printed, never interpreted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Union

import msgpack
import msgspec

from virnucpro_bus.errors import FrameError
from virnucpro_bus.events.encoder import MAX_TEXT_BYTES
from virnucpro_bus.events.encoder import encode as encode
from virnucpro_bus.events.envelope import ENVELOPES, Envelope
from virnucpro_bus.events.kinds import KINDS
from virnucpro_bus.events.vocabulary import MAX_COUNT, NAME_CHARACTERS, VERSION

MAX_FRAME_BYTES = 64 * 1024
MAX_ITEMS = 64
"""Of each array and each map in such a frame."""
ENVELOPE_ELEMENTS = 10

# The union is built from a table, which a static type cannot express.
_typed_decode = msgspec.msgpack.Decoder(Union[tuple(ENVELOPES.values())]).decode  # noqa: UP007


@dataclass(frozen=True)
class Foreign:
    """A well-formed frame of a kind or version that this program does not know; `body` is its tenth element."""

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
    """Stands where an Envelope has its event. Not None: the content is left out on purpose."""


def decode(frame: bytes) -> Envelope | Foreign:
    """Decode one frame. Raises FrameError, whose `reason` can be counted, for anything that is not an event."""
    if len(frame) > MAX_FRAME_BYTES:
        raise FrameError("oversized", f"{len(frame)} bytes")
    try:
        envelope: Envelope = _typed_decode(frame)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as refusal:
        return _decode_foreign(frame, refusal)
    return envelope


def decode_all(frames: Sequence[bytes], refused: Counter[str]) -> list[Envelope | Foreign]:
    """Decode many frames; those that are not events are left out and counted in `refused`, by reason."""
    try:
        # Nearly always all frames are of known kinds, and this is all there is to do.
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
    """Return the bytes with which every version-1 frame of `kind` begins, for a ZeroMQ subscription."""
    packed: bytes = msgpack.packb(kind)
    return bytes([0x90 + ENVELOPE_ELEMENTS]) + packed


_KNOWN_PREFIXES = tuple(topic_prefix(kind) + bytes([VERSION]) for kind in KINDS)
"""How the frames of known kinds begin."""


def _decode_foreign(frame: bytes, refusal: Exception) -> Foreign:
    """Decode a frame that the typed decoder refused, without declarations. Raises FrameError."""
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
        if isinstance(refusal, msgspec.ValidationError) and frame.startswith(_KNOWN_PREFIXES):
            raise FrameError("bad-fields", str(refusal)) from None
        raise FrameError("not-messagepack", type(error).__name__) from None
    if not isinstance(parts, list) or len(parts) < ENVELOPE_ELEMENTS:
        raise FrameError("not-an-event", "is not an array of ten elements")
    kind, version = parts[0], parts[1]
    if not isinstance(kind, str) or not 1 < len(kind) <= NAME_CHARACTERS or kind[-1] != "/":
        raise FrameError("not-an-event", "does not begin with a kind")
    texts, numbers = parts[2:5], [version, *parts[5:9]]
    if not all(isinstance(text, str) and len(text) <= NAME_CHARACTERS for text in texts):
        raise FrameError("bad-header", "run, host and source must be text")
    if not all(type(number) is int and 0 <= number <= MAX_COUNT for number in numbers) or numbers[2] < 1:
        raise FrameError("bad-header", "version, epoch, seq and times must be counts")
    if version == VERSION and kind in KINDS:
        # A known kind that the typed decoder refused is wrong, not new.
        raise FrameError("bad-fields", str(refusal))
    return Foreign(*parts[:ENVELOPE_ELEMENTS])
