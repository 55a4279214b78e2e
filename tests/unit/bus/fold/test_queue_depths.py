"""Queue depths: reported for the devices whose queue has changed, and folded to what every queue holds."""

from __future__ import annotations

from itertools import pairwise
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from tests.support.recordings import recorded
from tests.support.snapshots import dumped, load
from tests.support.two_devices import FAST, SLOW, begun, row
from virnucpro_bus import events as ev
from virnucpro_bus.clock import ManualClock
from virnucpro_bus.events.envelope import Envelope
from virnucpro_bus.events.vocabulary import Device
from virnucpro_bus.fold.fleet import FleetState
from virnucpro_bus.testing import Script

KEYS = ("cpu:0", "cpu:1", "cpu:2", "cpu:3")
Depths = dict[str, int]
maps = st.fixed_dictionaries({key: st.integers(0, 3) for key in KEYS})


def depths_of(fleet: FleetState) -> dict[int | str, int | None]:
    return {row["device_id"]: row["queue_depth"] for row in fleet.report()["devices"]}


def said(sessions: list[list[list[Depths]]]) -> Script:
    """Events of the coordinator in one epoch after the other; each session is a list of announcements in parts."""
    script = Script()
    for epoch, announcements in enumerate(sessions, 1):
        devices = tuple(map(Device, KEYS))
        script.say("coordinator", ev.RunStarted("job", "cost", devices, 9), epoch=epoch)
        for part in (part for parts in announcements for part in parts):
            script.say("coordinator", ev.QueueDepths(part), epoch=epoch, after_seconds=1)
    return script


@st.composite
def parts_of_changes(draw: st.DrawFn, before: Depths, after: Depths) -> list[Depths]:
    """What has changed, and perhaps more, in one event or several."""
    named = [key for key in KEYS if key not in before or before[key] != after[key] or draw(st.booleans())]
    cuts = sorted(draw(st.sets(st.integers(0, len(named)))) | {0, len(named)})
    return [{key: after[key] for key in named[first:last]} for first, last in pairwise(cuts)]


@st.composite
def told_in_parts(draw: st.DrawFn) -> tuple[list[list[Depths]], list[list[list[Depths]]]]:
    """The depths of one or two sessions in full, and the same told in parts."""
    full = draw(st.lists(st.lists(maps, min_size=1, max_size=4), min_size=1, max_size=2))
    return full, [
        [draw(parts_of_changes(before, after)) for before, after in pairwise([{}, *session])] for session in full
    ]


@given(told=told_in_parts(), dice=st.randoms(use_true_random=False), at=st.integers(0, 40))
def test_depths_told_in_any_parts_and_order_are_those_told_in_full(
    told: tuple[list[list[Depths]], list[list[list[Depths]]]], dice: Random, at: int
) -> None:
    full, parts = told
    envelopes: list[Envelope] = said(parts).envelopes
    dice.shuffle(envelopes)
    fleet, late = FleetState(ManualClock()), FleetState(ManualClock())
    for envelope in envelopes[:at]:
        fleet.apply(envelope, envelope.mono_ns)
    load(late, dumped(fleet))
    for envelope in envelopes[at:]:
        late.apply(envelope, envelope.mono_ns)
    assert depths_of(late) == full[-1][-1]


def test_a_timeline_has_the_files_of_all_queues_after_each_report() -> None:
    first, last = {"cpu:0": 3, "cpu:1": 4}, {"cpu:1": 2}
    script = said([[[first], [last], [{"cpu:0": 1}]], [[{"cpu:0": 1, "cpu:1": 0}]]])
    assert [each.files for each in recorded(script).timeline.depths] == [7, 5, 3, 1]


def test_a_device_that_the_last_session_has_not_named_has_no_queue() -> None:
    script = begun()
    script.say("coordinator", ev.QueueDepths({FAST.key: 5, SLOW.key: 1}))
    script.say("coordinator", ev.QueueDepths({FAST.key: 4}), epoch=2)
    assert (row(script)["queue_depth"], row(script, SLOW)["queue_depth"]) == (4, None)
