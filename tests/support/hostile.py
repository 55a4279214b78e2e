"""Frames that were damaged by accident or on purpose."""

from __future__ import annotations

import random

import msgpack

from tests.support.paths import GOLDEN

GOLDEN_FRAMES = GOLDEN / "frames"

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
    # Lists as tuples, which look the same in a frame and cannot be changed here.
    *("\x1b[2J", b"", b"\xff", (), ((),), ("x",) * 65, {}, {"a": -1}, {1: 2}, msgpack.Timestamp(0, 0)),
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
    """`frame` with one to three values, anywhere in it, replaced by hostile ones; still MessagePack."""
    parts = msgpack.unpackb(frame)
    for _ in range(dice.randint(1, 3)):
        inside = parts
        while (nested := [each for each in inside if isinstance(each, list) and each]) and dice.random() < 0.8:
            inside = dice.choice(nested)
        inside[dice.randrange(len(inside))] = dice.choice(HOSTILE)
    packed: bytes = msgpack.packb(parts)
    return packed


def golden_frames() -> list[bytes]:
    """One good frame of every kind."""
    return [bytes.fromhex(path.read_text()) for path in sorted(GOLDEN_FRAMES.glob("*.hex"))]


def hostile_frame(good: list[bytes], dice: random.Random) -> bytes:
    """A wounded or perverted frame, or no frame at all."""
    match dice.randrange(10):
        case 0:
            return dice.randbytes(dice.randrange(300))
        case 1 | 2 | 3:
            return perverted(dice.choice(good), dice)
    return wounded(dice.choice(good), dice)
