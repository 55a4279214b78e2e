"""A recorded run with another policy, other devices or other weights."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.support.effects import alternatives
from tests.support.shaped_runs import Shape, ShapedRun
from tests.support.simulated_runs import ImaginedRun
from virnucpro_bus import events as ev
from virnucpro_bus.clock import ManualClock
from virnucpro_bus.errors import UserError
from virnucpro_bus.events.vocabulary import Device
from virnucpro_bus.fold.fleet import FleetState
from virnucpro_bus.testing import Script
from virnucpro_bus.whatif import Alternative, WhatIf
from workers.schedule.policy_registry import DASK_POLICY, POLICIES
from workers.whatif.recorded_run import make_recorded_run
from workers.whatif.scenarios import Variation, what_if
from workers.whatif.simulator import SimDevice, SimFile, simulate

POLICY = "threshold"
costs = st.lists(st.integers(1, 1000), min_size=1, max_size=40)
speeds = st.lists(st.sampled_from([0.5, 1.0, 1.5, 2.5]), min_size=1, max_size=5)


def asked(
    costs: Sequence[int], speeds: Sequence[float], variation: Variation | None = None, policy: str = POLICY
) -> WhatIf:
    run = ImaginedRun(costs, speeds, policy)
    run.work()
    return what_if(make_recorded_run(run.fleet()), variation or Variation())


def row(found: WhatIf, name: str, policy: str = POLICY) -> Alternative:
    (only,) = [each for each in found["alternatives"] if (each["name"], each["policy"]) == (name, policy)]
    return only


def simulated(costs: Sequence[int], speeds: Sequence[float], policy: str = POLICY) -> float:
    files, devices = [SimFile(cost, cost) for cost in costs], [SimDevice(speed) for speed in speeds]
    return simulate(files, devices, policy).makespan_seconds


@given(costs=costs, speeds=speeds)
@example(
    costs=[1, 10, 6, 17, 177, 241, 259, 362, 363, 362, 448, 448, 448, 449, 450, 551, 555, 557, 558, 882, 885, 908],
    speeds=[0.5, 0.5, 2.5],
)
def test_the_same_again_takes_as_long_as_it_took_and_costs_as_much(costs: list[int], speeds: list[float]) -> None:
    found = asked(costs, speeds)
    again, recorded = row(found, "same devices"), found["recorded"]
    # A device that came in late, or never, did so because it had nothing to do: it will again.
    for figure in ("makespan_seconds", "idle_seconds", "device_seconds"):
        assert again[figure] == pytest.approx(recorded[figure], rel=1e-6, abs=1e-6)
    assert again["steals"] == recorded["steals"]


@given(costs=costs, speeds=speeds, late=st.sampled_from([[(0.5, 1.0)], [(100.0, 2.5), (100.0, 0.5)]]))
def test_devices_that_joined_late_join_late_again(
    costs: list[int], speeds: list[float], late: list[tuple[float, float]]
) -> None:
    run = ImaginedRun(costs, speeds, POLICY, late=late)
    run.work()
    found = what_if(make_recorded_run(run.fleet()), Variation())
    again, recorded = row(found, "same devices"), found["recorded"]
    for figure in ("makespan_seconds", "idle_seconds", "device_seconds"):
        assert again[figure] == pytest.approx(recorded[figure], rel=1e-6, abs=1e-6)
    assert again["steals"] == recorded["steals"]


def test_what_a_late_device_missed_is_no_device_time() -> None:
    run = ImaginedRun([10] * 8, [1.0], "cost", late=[(20.5, 1.0)])
    run.work()
    found = what_if(make_recorded_run(run.fleet()), Variation())
    assert found["recorded"]["makespan_seconds"] == pytest.approx(50.5)
    assert found["recorded"]["device_seconds"] == pytest.approx(50.5 + 30.0)


def test_a_late_device_gets_no_files_of_a_new_plan_unless_it_is_alone() -> None:
    run = ImaginedRun([10] * 8, [1.0], "cost", late=[(20.5, 1.0)])
    run.work()
    found = make_recorded_run(run.fleet())
    planned_again = what_if(found, Variation(policy="off", weights="1,1"))
    assert planned_again["alternatives"][0]["makespan_seconds"] == pytest.approx(80.0)
    alone = what_if(found, Variation(policy="off", drop=["cpu:0"]))
    assert alone["alternatives"][0]["makespan_seconds"] == pytest.approx(80.0)
    assert alone["alternatives"][0]["device_seconds"] == pytest.approx(80.0)


def test_added_devices_are_there_from_the_start_and_late_ones_are_the_first_to_be_left_out() -> None:
    run = ImaginedRun([10] * 8, [1.0], "cost", late=[(20.5, 1.0)])
    run.work()
    found = what_if(make_recorded_run(run.fleet()), Variation(policy="off"))
    assert row(found, "half the devices", "off")["makespan_seconds"] == pytest.approx(80.0)
    # Three have files of the plan, and the late one has none.
    assert row(found, "double the devices", "off")["makespan_seconds"] == pytest.approx(30.0)


@pytest.mark.parametrize("policy", POLICIES)
def test_another_policy_takes_as_long_as_the_simulator_says(policy: str) -> None:
    costs, speeds = list(range(100, 10, -3)), [1.0, 1.0, 4.0]
    assert row(asked(costs, speeds), "same devices", policy)["makespan_seconds"] == pytest.approx(
        simulated(costs, speeds, policy), rel=1e-6
    )


def test_by_default_all_policies_and_half_and_double_the_devices_are_compared() -> None:
    found = asked([10] * 16, [1.0] * 4)
    compared = [(each["name"], each["policy"], each["devices"]) for each in found["alternatives"]]
    assert compared == [
        *(("same devices", policy, 4) for policy in POLICIES),
        ("half the devices", POLICY, 2),
        ("double the devices", POLICY, 8),
    ]
    assert [each["makespan_seconds"] for each in found["alternatives"][-2:]] == pytest.approx([80.0, 20.0])
    assert found["recorded"]["device_seconds"] == pytest.approx(160.0)


def test_one_device_cannot_be_halved() -> None:
    names = [each["name"] for each in asked([10, 10], [1.0])["alternatives"]]
    assert "half the devices" not in names
    assert "double the devices" in names


def test_an_added_device_is_of_median_speed() -> None:
    found = asked([10] * 60, [1.0, 2.0, 6.0], Variation(policy=POLICY, devices=4))
    (only,) = found["alternatives"]
    assert (only["name"], only["devices"]) == ("4 devices", 4)
    assert only["makespan_seconds"] == pytest.approx(simulated([10] * 60, [1.0, 2.0, 6.0, 2.0]), rel=1e-6)


def test_a_dropped_device_leaves_its_files_to_the_others() -> None:
    found = asked([10] * 12, [1.0, 2.0, 6.0], Variation(policy="off", drop=["cpu:2"]))
    (only,) = found["alternatives"]
    assert only["devices"] == 2
    assert only["makespan_seconds"] == pytest.approx(60.0)


def test_without_weights_the_recorded_plan_is_used_for_the_same_devices() -> None:
    run = ImaginedRun([10] * 12, [1.0, 3.0], "off", [1.0, 3.0])
    run.work()
    found = what_if(make_recorded_run(run.fleet()), Variation(policy="off"))
    assert row(found, "same devices", "off")["makespan_seconds"] == pytest.approx(30.0)


@pytest.mark.parametrize("name", ["GPU-b", "1"])
def test_a_gpu_is_dropped_by_its_uuid_or_by_its_index(name: str) -> None:
    script = Script()
    devices = (Device("GPU-a", "A100", 0), Device("GPU-b", "A100", 1))
    script.say("coordinator", ev.RunStarted("job", "off", devices, 2))
    for device, file in zip(devices, "ab", strict=True):
        script.say("coordinator", ev.FilesAssigned(device.key, (ev.PlannedFile(file, 1, 1),)))
        script.say(device.key, ev.FileCompleted(device.key, file, 1, 1, 10.0), after_seconds=10.0)
    [(left, makespan)] = alternatives(script, Variation(policy="off", drop=[name]))
    assert left == "1 device"
    assert makespan == pytest.approx(20.0)


def test_with_weights_the_files_are_assigned_again() -> None:
    found = asked([10] * 12, [1.0, 3.0], Variation(policy="off", weights="1,3"))
    (only,) = found["alternatives"]
    assert only["makespan_seconds"] == pytest.approx(30.0)
    assert found["recorded"]["policy"] == POLICY


@pytest.mark.parametrize(
    ("variation", "complaint"),
    [
        (Variation(drop=["cpu:7"]), "--drop cpu:7: is not a device of the run; choose from: cpu:0, cpu:1"),
        (Variation(drop=["cpu:0", "cpu:1"]), "--drop: leaves no device for the files"),
        (Variation(weights="1,2,3"), "must be one number for each device: 2, not 3"),
        (Variation(weights="much"), "--weights: must be auto"),
    ],
)
def test_a_variation_that_does_not_fit_is_a_user_error(variation: Variation, complaint: str) -> None:
    with pytest.raises(UserError, match=complaint):
        asked([10, 10, 10], [1.0, 1.0], variation)


def test_files_that_were_not_completed_are_left_out_and_counted() -> None:
    run = ImaginedRun([10] * 6, [1.0, 1.0], POLICY)
    run.work(until_seconds=15.0)
    found = what_if(make_recorded_run(run.fleet()), Variation())
    assert (found["files"], found["files_left_out"]) == (2, 4)


def report_progress(run: ImaginedRun) -> None:
    """Nine tenths of the first device's file are done."""
    file = run.fleet().get_gpu_metrics()[0]["current_file"]
    assert file is not None
    run.script.say("worker-0", ev.FileProgress("cpu:0", file, 1, 9, 10))


def test_how_far_files_in_progress_are_changes_nothing() -> None:
    run = ImaginedRun([10] * 6, [1.0, 1.0], POLICY)
    run.work(until_seconds=15.0)
    before = what_if(make_recorded_run(run.fleet()), Variation())
    report_progress(run)
    assert run.fleet().get_gpu_metrics()[0]["current_file_percent"] == 90.0
    assert what_if(make_recorded_run(run.fleet()), Variation()) == before


def test_a_run_without_completed_files_is_refused() -> None:
    run = ImaginedRun([10], [1.0], POLICY)
    run.work(until_seconds=1.0)
    report_progress(run)
    assert run.fleet().get_effect()["makespan_expected_seconds"] is not None
    with pytest.raises(UserError, match="contains no completed file of the plan"):
        make_recorded_run(run.fleet())


def test_runs_of_several_hosts_are_not_taken_for_one() -> None:
    fleet = FleetState(ManualClock())
    for host in ("a", "b"):
        script = Script(host=host)
        script.say("coordinator", ev.RunStarted("job", "off", (Device("cpu:0"),), 1))
        script.say("coordinator", ev.FilesAssigned("cpu:0", (ev.PlannedFile("a.fa", 1, 1),)))
        fleet.feed(script.frames())
    with pytest.raises(UserError, match="contains the plans of several hosts"):
        make_recorded_run(fleet)


def test_a_run_with_an_unknown_policy_is_simulated_with_a_known_one() -> None:
    run = ImaginedRun([10, 10], [1.0, 1.0], POLICY)
    run.work()
    fleet = run.fleet()
    (work,) = fleet.get_work()
    assert work.run is not None
    other = ev.RunStarted("job", "of-tomorrow", work.run.devices, 2)
    run.script.say("coordinator", other, epoch=2)
    for event in [each.event for each in run.script.envelopes if isinstance(each.event, ev.FilesAssigned)]:
        run.script.say("coordinator", event, epoch=2)
    for slot, file in enumerate(["f0.fa", "f1.fa"]):
        done = ev.FileCompleted(f"cpu:{slot}", file, 1, 1, 10.0)
        run.script.say(f"worker-{slot}", done, epoch=2, after_seconds=10.0)
    found = what_if(make_recorded_run(run.fleet()), Variation())
    assert found["recorded"]["policy"] == "of-tomorrow"
    assert found["alternatives"][-1]["policy"] in POLICIES
    assert found["note"] == "the policy of the run is none of those that can be simulated"


def test_a_run_that_dask_scheduled_is_compared_with_our_policies_alone() -> None:
    run = ImaginedRun([10] * 4, [1.0, 1.0], DASK_POLICY)
    run.coordinator.start()
    for number in range(4):
        held = run.coordinator.lease_file("cpu:1", f"f{number}.fa")
        assert held is not None
        if held.stolen_from is not None:
            stolen = ev.WorkStolen("cpu:1", held.stolen_from, held.file.id, 1, held.stolen_at_ns)
            run.script.say("worker-1", stolen)
        run.script.say("worker-1", ev.FileCompleted("cpu:1", held.file.id, 1, 1, 10.0), after_seconds=10.0)
        run.coordinator.record_file_completion("cpu:1", held.file.id, 1, 10.0)
    run.coordinator.finish(0)
    found = what_if(make_recorded_run(run.fleet()), Variation())
    assert found["recorded"]["policy"] == "dask"
    assert found["recorded"]["steals"] == 2
    assert {each["policy"] for each in found["alternatives"]} == set(POLICIES)
    assert found["note"] == "the policy dask cannot be simulated: Dask's own scheduler decided"


def test_an_estimate_has_a_range_and_a_recorded_time_has_none() -> None:
    found = asked([10] * 40, [1.0, 2.0])
    assert found["recorded"]["makespan_range"] is None
    for each in found["alternatives"]:
        assert each["makespan_range"] is not None
        low, high = each["makespan_range"]
        assert high is not None
        assert low <= (each["makespan_seconds"] or 0.0) <= high


def test_what_is_lost_between_two_files_is_lost_in_every_variation() -> None:
    shape = Shape(files=[(10, 1.0)] * 20, speeds=(1.0, 1.0), gap=0.5)
    *_, fleet = ShapedRun(shape, "off").work()
    found = what_if(make_recorded_run(fleet), Variation(policy="off"))
    assert row(found, "same devices", "off")["makespan_seconds"] == pytest.approx(
        found["recorded"]["makespan_seconds"], rel=0.03
    )
    assert row(found, "half the devices", "off")["makespan_seconds"] == pytest.approx(20 + 19 * 0.5, rel=0.1)


def test_a_device_that_slowed_down_slows_down_again() -> None:
    shape = Shape(files=[(10, 1.0)] * 40, speeds=(1.0, 1.0), changes={1: (5.0, 0.25)}, gap=0.0)
    *_, fleet = ShapedRun(shape, "cost").work()
    found = what_if(make_recorded_run(fleet), Variation(policy="off"))
    # Its 20 files: 5 in 5 s, and 15 of 4 s.
    assert row(found, "same devices", "off")["makespan_seconds"] == pytest.approx(65.0, rel=0.05)
