"""What is remembered of plan and completions, whatever came first."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from tests.support.driven_coordinator import ready
from tests.support.effects import assert_that_nothing_is_known, planned
from tests.support.simulated_runs import ImaginedRun
from tests.support.snapshots import dumped, load
from virnucpro_bus import events as ev
from virnucpro_bus.clock import ManualClock
from virnucpro_bus.effect.totals import TotalsCache
from virnucpro_bus.effect.work_log import MAX_UNPLANNED_FILES, Steal, WorkLog
from virnucpro_bus.events.vocabulary import STARTING, Device
from virnucpro_bus.fold.fleet import FleetState
from virnucpro_bus.testing import Script


@given(data=st.data())
def test_of_what_is_told_twice_of_a_file_the_later_counts_whatever_came_first(data: st.DataObject) -> None:
    early, late = Steal(1, "cpu:1", "cpu:0", "a", 1), Steal(2, "cpu:2", "cpu:0", "a", 2)
    log = WorkLog()
    cache = TotalsCache()
    told: list[Callable[[], None]] = [
        lambda: log.complete("a", 10, 1.0, "cpu:1"),
        lambda: log.complete("a", 20, 2.0, "cpu:2"),
        lambda: log.steal(early),
        lambda: log.steal(late),
        lambda: log.assign("cpu:0", (ev.PlannedFile("a", 1, 1), ev.PlannedFile("b", 1, 5))),
        lambda: log.assign("cpu:1", (ev.PlannedFile("a", 1, 2),)),
    ]
    looked_at = data.draw(st.sets(st.integers(0, len(told))))
    for number, add in enumerate(data.draw(st.permutations(told))):
        if number in looked_at:
            cache.of(log, 0)
        add()
    totals = cache.of(log, 0)
    assert list(totals.files()) == [("cpu:1", 2, (20, 2.0, "cpu:2"))]
    assert {key: left.work for key, left in totals.remaining(()).items() if left.files} == {"cpu:0": 5}
    assert {key: device.files for key, device in totals.devices.items()} == {"cpu:2": 1}
    assert (totals.latest, list(totals.moved)) == ([late], [("cpu:2", "cpu:0")])


def test_where_nobody_plans_memory_does_not_grow_for_ever_and_a_late_plan_is_of_no_use() -> None:
    log = WorkLog()
    for number in range(MAX_UNPLANNED_FILES + 5):
        log.complete(f"{number}.fa", number, 1.0, "cpu:0")
    assert (len(log.files), log.dropped) == (MAX_UNPLANNED_FILES, 5)
    log.assign("cpu:0", (ev.PlannedFile("1.fa", 1, 1),))
    fleet = FleetState(ManualClock())
    script = planned({"1.fa": "cpu:0"})
    fleet.feed(script.frames())
    (host,) = fleet._hosts.values()
    host.fold._log = log
    assert_that_nothing_is_known(fleet.get_effect())


def test_a_plan_that_comes_after_what_it_plans_is_as_good() -> None:
    run = ImaginedRun([30, 20, 20, 10, 10, 10], [1.0, 2.0], "threshold")
    run.work()
    said = run.script.envelopes
    late = FleetState(run.script.clock, local_host=run.host)
    for envelope in sorted(said, key=lambda each: isinstance(each.event, ev.FilesAssigned)):
        late.apply(envelope)
    assert late.get_effect() == run.fleet().get_effect()


@given(data=st.data())
def test_when_a_device_was_first_ready_is_told_alike_whatever_came_first_and_by_a_snapshot(
    data: st.DataObject,
) -> None:
    script = Script()
    for epoch in (1, 2):
        script.say("worker-0", ev.Heartbeat("cpu:0", STARTING, 0, 0, 0, 0, 0), epoch=epoch, after_seconds=1.0)
        script.say("worker-0", ready(Device("cpu:0")), epoch=epoch, after_seconds=1.0)
        script.say("worker-0", ready(Device("cpu:0")), epoch=epoch, after_seconds=1.0)
    first = script.envelopes[1].mono_ns
    fleet = FleetState(script.clock)
    for envelope in data.draw(st.permutations(script.envelopes)):
        fleet.apply(envelope)
    copy = fleet.empty_copy()
    load(copy, dumped(fleet))
    for each in (fleet, copy):
        (host,) = each._hosts.values()
        assert host.fold.work(0).status.up_ns == {"cpu:0": first}


def test_who_was_ready_in_an_earlier_session_has_to_say_so_again() -> None:
    script = planned({"a": "cpu:0"})
    script.say("coordinator", ev.RunStarted("job", "off", (), 1), epoch=2, after_seconds=9.0)
    fleet = FleetState(script.clock)
    fleet.feed(script.frames())
    (host,) = fleet._hosts.values()
    assert host.fold.work(0).status.up_ns == {}
