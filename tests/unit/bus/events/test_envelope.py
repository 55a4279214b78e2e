"""Envelopes: consecutive numbers, sender and time."""

from __future__ import annotations

from typing import Any

import pytest

from virnucpro_bus import events as ev
from virnucpro_bus.clock import ManualClock
from virnucpro_bus.events.envelope import Sequencer, make_envelope
from virnucpro_bus.events.vocabulary import Device


def test_a_sequencer_numbers_from_one_and_adds_sender_and_time() -> None:
    clock = ManualClock()
    sequencer = Sequencer(clock, source="w", run="r", epoch=7, host="h")
    first, second = sequencer.next_envelope(ev.QueueDepths({})), sequencer.next_envelope(ev.QueueDepths({}), 5, 6)
    assert (first.run, first.host, first.source, first.epoch, first.seq) == ("r", "h", "w", 7, 1)
    assert (first.wall_ns, first.mono_ns) == (clock.wall, clock.mono)
    assert (second.seq, second.wall_ns, second.mono_ns) == (2, 5, 6)


def test_a_restarted_source_has_a_larger_epoch() -> None:
    clock = ManualClock()
    before = Sequencer(clock, source="w")
    clock.advance(0.001)
    assert Sequencer(clock, source="w").epoch > before.epoch


@pytest.mark.parametrize("wrong", [object(), "file.started/", Device("cpu:0")])
def test_what_is_not_an_event_uses_up_no_number(wrong: Any) -> None:
    sequencer = Sequencer(ManualClock(), source="w")
    with pytest.raises(KeyError):
        sequencer.next_envelope(wrong)
    assert sequencer.next_envelope(ev.QueueDepths({})).seq == 1


def test_an_envelope_made_by_hand_is_what_a_sequencer_makes() -> None:
    clock, event = ManualClock(), ev.QueueDepths({"cpu:0": 1})
    by_hand = make_envelope(
        event, run="r", host="h", source="w", epoch=7, seq=1, wall_ns=clock.wall, mono_ns=clock.mono
    )
    assert Sequencer(clock, source="w", run="r", epoch=7, host="h").next_envelope(event) == by_hand
