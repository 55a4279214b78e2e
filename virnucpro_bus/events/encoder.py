"""Envelopes -> bytes, as `codec.py` describes them: all that those need who only publish.

Apart from the decoder, which takes milliseconds to make: a worker starts without it.
"""

from __future__ import annotations

from typing import Any

import msgspec

from virnucpro_bus.events.envelope import ENVELOPES
from virnucpro_bus.events.vocabulary import Fact

MAX_TEXT_BYTES = 4096
"""Of each string in a frame that is decoded without declarations, as one of a newer version is."""

encode = msgspec.msgpack.Encoder().encode
"""Envelope -> frame. Does not check ranges: the receiver's decoder does."""


def encode_in_place_of(frame: bytes, event: Fact) -> bytes:
    """Return the frame of `event` under the header of another event, of which `encode` has made `frame`."""
    _, *header, _ = msgspec.msgpack.decode(frame)
    make: Any = ENVELOPES[type(event)]  # mypy knows only the header of the generated types
    return encode(make(*header, event))
