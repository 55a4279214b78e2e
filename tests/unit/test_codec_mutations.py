"""Whatever happens to a frame on its way, reading it gives an event or a refusal, never another exception."""

from __future__ import annotations

import random
from collections.abc import Callable

import msgpack
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from strategies import envelopes

from virnucpro_bus.codec import Foreign, decode, encode
from virnucpro_bus.errors import FrameError
from virnucpro_bus.events import Envelope

REASONS = {"oversized", "not-messagepack", "not-an-event", "bad-header", "bad-fields"}
MUTATIONS_OF_EACH = 25


HOSTILE = [
    *(
        None,
        True,
        -1,
        0,
        2**63,
        2**64 - 1,
        -(2**63),
        1.5,
        -0.0,
        float("nan"),
        float("inf"),
        "",
        "x" * 257,
        "x" * 4097,
    ),
    *("\x1b[2J", b"", b"\xff", [], [[]], ["x"] * 65, {}, {"a": -1}, {1: 2}, msgpack.Timestamp(0, 0)),
]


def wounded(frame: bytes, dice: random.Random) -> bytes:
    """`frame` with one to four random wounds, most of which no longer fit its lengths."""
    data = bytearray(frame)
    for _ in range(dice.randint(1, 4)):
        at = dice.randrange(len(data) + 1)
        match dice.randrange(5):
            case 0:
                data[at : at + 1] = dice.randbytes(1)
            case 1:
                data[at:at] = dice.randbytes(dice.randint(1, 5))
            case 2:
                del data[at : at + dice.randint(1, 5)]
            case 3:
                data[at:at] = data[at : at + dice.randint(1, 30)]
            case 4:
                data[at : at + 1] = dice.choice([b"\xc0", b"\xc1", b"\xdd", b"\xdf", b"\xdb", b"\xcb", b"\x9f"])
    return bytes(data)


def perverted(frame: bytes, dice: random.Random) -> bytes:
    """`frame` with one value, anywhere in it, replaced by a hostile one; still MessagePack."""
    parts = msgpack.unpackb(frame)
    inside = parts
    while (nested := [each for each in inside if isinstance(each, list) and each]) and dice.random() < 0.8:
        inside = dice.choice(nested)
    inside[dice.randrange(len(inside))] = dice.choice(HOSTILE)
    return msgpack.packb(parts)


def outcome(frame: bytes) -> Envelope | Foreign | str:
    """What became of `frame`: what was read, or the reason of refusal."""
    try:
        return decode(frame)
    except FrameError as refused:
        return refused.reason


def is_sound(result: Envelope | Foreign | str) -> bool:
    """What passed the typed decoder is within all ranges, so it must survive the trip once more."""
    match result:
        case str():
            return result in REASONS
        case Envelope():
            return decode(encode(result)) == result
    return isinstance(result, Foreign)


@given(st.binary(max_size=300))
def test_arbitrary_bytes_are_refused_or_read(frame: bytes) -> None:
    assert is_sound(outcome(frame))


# Not shrunk: the failure names the frame already, and shrinking thousands of them takes minutes.
@pytest.mark.parametrize("mutate", [wounded, perverted])
@settings(phases=[Phase.generate])
@given(originals=st.lists(envelopes(), min_size=8, max_size=8), dice=st.randoms(use_true_random=False))
def test_mutations_of_valid_frames_are_refused_or_read(
    mutate: Callable[[bytes, random.Random], bytes], originals: list[Envelope], dice: random.Random
) -> None:
    """100 examples of 8 frames: 20,000 of each sort."""
    frames = [mutate(encode(original), dice) for original in originals for _ in range(MUTATIONS_OF_EACH)]
    unsound = [frame.hex() for frame in frames if not is_sound(outcome(frame))]
    assert unsound == []
