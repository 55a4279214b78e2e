"""Plans that workers without a coordinator publish themselves: progress and effect are those of any other run."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.support.snapshots import dumped, load
from virnucpro_bus import events as ev
from virnucpro_bus.events.run_events import OWN_POLICY
from virnucpro_bus.events.vocabulary import Device
from virnucpro_bus.fold.fleet import FleetState
from virnucpro_bus.testing import Script
from workers.whatif.recorded_run import make_recorded_run
from workers.whatif.scenarios import compare

DEVICES = (Device("cpu:0"), Device("cpu:1"))
PLAN = {"cpu:0": ["a", "b", "c"], "cpu:1": ["d"]}
WORK = [("cpu:0", "a", None), ("cpu:1", "d", None), ("cpu:1", "c", "cpu:0"), ("cpu:0", "b", None)]


def assigned(key: str, files: list[str]) -> ev.FilesAssigned:
    return ev.FilesAssigned(key, tuple(ev.PlannedFile(file, 10, 10) for file in files))


def told(script: Script, *, by_workers: bool, work: int = len(WORK), is_over: bool = False) -> Script:
    """The first files of WORK, of a plan that the workers publish or a coordinator."""
    script.say("coordinator", ev.RunStarted("job", OWN_POLICY if by_workers else "threshold", DEVICES, 4))
    source = {device.key: f"pid-{number}" for number, device in enumerate(DEVICES)}
    for device in DEVICES:
        script.say(source[device.key], ev.WorkerStarted(device, 1))
        plan = assigned(device.key, PLAN[device.key])
        script.say(source[device.key] if by_workers else "coordinator", plan)
    for key, file, victim in WORK[:work]:
        if victim is not None:
            script.say(source[key], ev.WorkStolen(key, victim, file, 0, script.clock.wall_ns()))
        script.say(source[key], ev.FileStarted(key, file))
        script.say(source[key], ev.FileCompleted(key, file, 0, 5, 2.0), after_seconds=2)
    if is_over:
        script.say("coordinator", ev.RunFinished(0, work, 0))
    return script


def folded(script: Script) -> FleetState:
    fleet = FleetState(script.clock, local_host="node")
    fleet.feed(script.frames())
    return fleet


def figures(script: Script) -> object:
    """All figures of the run, apart from its policy and how many events there were."""
    report = folded(script).report()
    totals = {name: value for name, value in report["totals"].items() if not name.startswith("events_")}
    return report["devices"], totals, report["steals"], report["effect"], report["files"]


@given(work=st.sampled_from([0, 1, 3, 4]), is_over=st.booleans())
def test_a_run_that_workers_plan_has_the_figures_of_one_that_a_coordinator_plans(work: int, is_over: bool) -> None:
    own, launched = (
        told(Script(), by_workers=by_workers, work=work, is_over=is_over) for by_workers in (True, False)
    )
    if work in (1, 2) and not is_over:
        # Whether workers that decide themselves will steal is unknown before the first has.
        assert folded(own).get_effect()["busy_seconds"] == folded(launched).get_effect()["busy_seconds"]
    else:
        assert figures(own) == figures(launched)


def test_the_end_of_own_workers_is_expected_as_if_each_did_its_own_files_until_one_steals() -> None:
    expected = folded(told(Script(), by_workers=True, work=2)).get_effect()["makespan_expected_seconds"]
    assert expected is not None
    # cpu:0 has done one of its three files in 2 s, and was idle for 2 s since.
    assert 8.0 <= expected < 9.0


def test_what_a_recorded_run_of_own_workers_would_have_been_is_simulated() -> None:
    fleet = folded(told(Script(), by_workers=True, is_over=True))
    assert make_recorded_run(fleet).owners == ("cpu:0", "cpu:0", "cpu:0", "cpu:1")
    found = compare(fleet)
    assert (found["files"], found["recorded"]["policy"], found["recorded"]["steals"]) == (4, OWN_POLICY, 1)
    assert all(each["makespan_seconds"] is not None for each in found["alternatives"])


@given(data=st.data())
def test_neither_the_order_of_events_nor_a_snapshot_changes_what_own_plans_lead_to(data: st.DataObject) -> None:
    script = told(Script(), by_workers=True, is_over=True)
    every = data.draw(st.permutations(script.envelopes))
    cut = data.draw(st.integers(0, len(every)))
    fleet = FleetState(script.clock, local_host="node")
    for envelope in every[:cut]:
        fleet.apply(envelope)
    copy = fleet.empty_copy()
    load(copy, dumped(fleet))
    for envelope in every[cut:]:
        copy.apply(envelope)
    assert copy.report() == folded(script).report()


def test_a_hub_that_is_started_again_leaves_the_plans_of_the_workers_that_still_run() -> None:
    script = told(Script(), by_workers=True, work=2)
    first = script.envelopes[0]
    script.say("coordinator", ev.RunFinished(0, 2, 0), after_seconds=1)
    script.say("coordinator", ev.Notice("started again"), epoch=2, after_seconds=1)
    again = script.say("coordinator", first.event, epoch=2)
    # The hub states the time of the first plan, as the hub before did.
    script.envelopes[-1] = replace(again, wall_ns=first.wall_ns, mono_ns=first.mono_ns)
    for file in ("c", "b"):
        script.say("pid-0", ev.FileCompleted("cpu:0", file, 0, 5, 2.0), after_seconds=2)
    effect = folded(script).get_effect()
    assert folded(script).get_totals()["files_completed"] == 4
    assert effect["busy_seconds"] == {"cpu:0": 6.0, "cpu:1": 2.0}
    assert effect["makespan_seconds"] == 10.0


def test_files_that_are_planned_after_the_hub_has_counted_or_never_belong_to_the_run_as_well() -> None:
    script = told(Script(), by_workers=True)
    script.say("pid-0", assigned("cpu:0", ["e", "a"]))
    assert folded(script).get_totals()["files_total"] == 5
    script.say("pid-9", ev.FileCompleted("cpu:9", "unplanned", 0, 5, 2.0))
    assert folded(script).get_totals()["files_total"] == 6


@given(st.permutations(["here", "there", "here"]))
def test_of_files_of_one_name_in_several_folders_nothing_is_claimed_and_a_line_tells_what_to_do(
    folders: list[str],
) -> None:
    script = Script()
    for number, folder in enumerate(folders):
        planned = ev.PlannedFile("\x1breads.fa", 10, 10, origin=ev.Origin(folder, "n", "v", "i"))
        script.say(f"pid-{number}", ev.FilesAssigned(f"cpu:{number}", (planned,)))
        script.say(f"pid-{number}", ev.FileCompleted(f"cpu:{number}", "\x1breads.fa", 0, 5, 1.0), after_seconds=1)
    script.say("coordinator", ev.RunStarted("own workers", OWN_POLICY, DEVICES, 1))
    fleet = folded(script)
    assert (fleet.get_totals()["files_total"], fleet.get_totals()["files_completed"]) == (None, 3)
    assert fleet.get_effect()["makespan_seconds"] is None
    (line,) = fleet.stream_warnings()
    assert line.startswith(r"\x1breads.fa: workers plan files of this name in several folders")


def test_workers_that_plan_the_same_file_plan_one() -> None:
    script = Script()
    planned = ev.PlannedFile("a.fa", 10, 10, origin=ev.Origin("here", "n", "v", "i"))
    for number in range(2):
        script.say(f"pid-{number}", ev.FilesAssigned(f"cpu:{number}", (planned,)))
    script.say("coordinator", ev.RunStarted("own workers", OWN_POLICY, DEVICES, 1))
    assert folded(script).get_totals()["files_total"] == 1
    assert folded(script).stream_warnings() == []


def test_a_plan_of_before_the_run_began_is_not_part_of_it() -> None:
    script = Script()
    script.say("pid-9", assigned("cpu:1", ["x"]))
    script.clock.advance(1)
    told(script, by_workers=True)
    assert folded(script).get_effect()["makespan_expected_seconds"] == 8.0
