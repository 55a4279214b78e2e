"""Whatever happens to a frame on its way, reading it gives an event or a refusal, never another exception."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from tests.support.hostile import perverted, wounded
from tests.support.strategies import envelopes
from virnucpro_bus.errors import FrameError
from virnucpro_bus.events.codec import Foreign, decode, encode
from virnucpro_bus.events.envelope import Envelope

REASONS = {"oversized", "not-messagepack", "not-an-event", "bad-header", "bad-fields"}
MUTATIONS_OF_EACH = 25


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
