"""Several buses as one fleet: nothing is lost, nothing is mixed."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.runs import MadeRun, made_runs
from virnucpro_bus import events as ev
from virnucpro_bus.clock import ManualClock
from virnucpro_bus.events.vocabulary import Device
from virnucpro_bus.fold.fleet import FleetState
from virnucpro_bus.fold.fleet_group import FleetGroup
from virnucpro_bus.metrics import UNKNOWN_UTILIZATION
from virnucpro_bus.testing import Script

GPU = Device("GPU-a", "A100", 0)
SECOND_GPU = Device("GPU-b", "A100", 1)


def fed(*frames: list[bytes], clock: ManualClock | None = None) -> FleetState:
    """What a viewer knows that has just received these."""
    clock = clock or ManualClock()
    fleet = FleetState(clock)
    for each in frames:
        fleet.feed(each, clock.mono_ns())
    return fleet


def completed(host: str, device: Device = GPU, *, files: int = 1) -> list[bytes]:
    script = Script(host=host)
    script.say(device.key, ev.WorkerStarted(device, 100))
    for number in range(files):
        script.say(device.key, ev.FileCompleted(device.key, f"{number}.fa", 1, 100, 4.0), after_seconds=4)
    return script.frames()


def sampled(host: str, percent: float, device: Device = GPU) -> list[bytes]:
    script = Script(host=host)
    script.say("sampler", ev.GpuSampled(device, percent, 25.0, 1, 4, 60.0, 200.0))
    return script.frames()


def planned(host: str, files: int) -> list[bytes]:
    script = Script(host=host)
    script.say("coordinator", ev.RunStarted("job", "cost", (GPU,), files))
    return script.frames()


def finished(host: str) -> list[bytes]:
    script = Script(host=host)
    script.say("coordinator", ev.RunStarted("job", "cost", (GPU,), 1))
    script.say("coordinator", ev.RunFinished(0, 1, 0))
    return script.frames()


def on_host(run: MadeRun, number: int) -> list[bytes]:
    """The run's frames as another host with other GPUs would have sent them; the names are as long as before."""
    host, letters = b"nod%d" % number, "abcdefghi"[3 * number :]
    frames = []
    for frame in run.script.frames():
        moved = frame.replace(b"node", host)
        for at in range(3):
            moved = moved.replace(b"GPU-%d" % at, b"GPU-" + letters[at].encode())
        frames.append(moved)
    return frames


def without_run(rows: Iterable[Any]) -> list[Any]:
    """The rows without the name that tells the buses apart."""
    return [{name: value for name, value in row.items() if name != "run"} for row in rows]


@given(st.lists(st.tuples(made_runs(), st.integers(0, 2)), min_size=1, max_size=3), st.floats(0, 10))
def test_hosts_on_several_buses_are_what_they_would_be_on_one(
    runs: list[tuple[MadeRun, int]], later_seconds: float
) -> None:
    clock = ManualClock()
    hosts = [on_host(run, number) for number, (run, _) in enumerate(runs)]
    one = fed(*hosts, clock=clock)
    buses: dict[int, list[list[bytes]]] = {}
    for host, (_, bus) in zip(hosts, runs, strict=True):
        buses.setdefault(bus, []).append(host)
    fleets = FleetGroup({str(bus): fed(*frames, clock=clock) for bus, frames in buses.items()})
    clock.advance(later_seconds)
    assert one.get_totals()["events_received"] == sum(map(len, hosts))
    assert without_run(fleets.get_gpu_metrics()) == one.get_gpu_metrics()
    assert fleets.get_totals() == one.get_totals()
    report = fleets.report()
    expected = one.report()
    changed = {"devices": without_run(report["devices"]), "runs": without_run(report["runs"])}
    # A warning about the stream names its bus.
    assert len(report["problems"]) == len(expected["problems"])
    changed |= {"problems": expected["problems"]}
    assert {**report, **changed} == {**expected, "runs": without_run(expected["runs"])}
    assert fleets.elapsed_seconds() == one.elapsed_seconds()
    assert fleets.finished == one.finished
    assert fleets.notices() == one.notices()
    assert fleets.failures() == one.failures()


@given(made_runs())
def test_one_bus_alone_is_itself(run: MadeRun) -> None:
    fleet = fed(run.script.frames(), [b"no event"], clock=run.script.clock)
    alone = FleetGroup({"bus": fleet})
    assert (alone.report(), alone.stream_warnings()) == (fleet.report(), fleet.stream_warnings())
    assert (alone.finished, alone.elapsed_seconds()) == (fleet.finished, fleet.elapsed_seconds())


def test_two_buses_on_one_host_have_accounts_of_their_own() -> None:
    fleets = FleetGroup({"a": fed(completed("node", files=2)), "b": fed(completed("node", files=3))})
    assert [row["files_completed"] for row in fleets.get_gpu_metrics()] == [2, 3]
    assert fleets.get_totals()["files_completed"] == 5
    assert fleets.get_totals()["events_lost"] == 0


def test_of_several_buses_each_row_names_its_own() -> None:
    frames = completed("node")
    rows = FleetGroup({"a": fed(frames), "b": fed(frames)}).get_gpu_metrics()
    assert [row.get("run") for row in rows] == ["a", "b"]
    (row,) = FleetGroup({"a": fed(frames)}).get_gpu_metrics()
    assert "run" not in row


def test_rows_are_by_host_and_then_index_whichever_bus_they_came_from() -> None:
    processors = [Device("cpu:10", index=10), Device("cpu:2", index=2), Device("other")]
    first = fed(
        completed("z", SECOND_GPU), completed("a", SECOND_GPU), *(completed("m", each) for each in processors)
    )
    second = fed(completed("a", GPU), completed("m", Device("cpu:3", index=3)))
    rows = FleetGroup({"first": first, "second": second}).get_gpu_metrics()
    assert [(row["host"], row["device_id"]) for row in rows] == [
        ("a", 0),
        ("a", 1),
        ("m", "cpu:2"),
        ("m", "cpu:3"),
        ("m", "cpu:10"),
        ("m", "other"),
        ("z", 1),
    ]


def test_the_number_of_all_files_is_known_where_every_bus_with_files_has_a_plan() -> None:
    without = fed(completed("b"))
    assert FleetGroup({"b": without}).get_totals()["files_total"] is None
    assert FleetGroup({"a": fed(planned("a", 4)), "b": without}).get_totals()["files_total"] is None
    idle = fed(sampled("b", 10.0))
    assert FleetGroup({"a": fed(planned("a", 4)), "b": idle}).get_totals()["files_total"] == 4
    both = FleetGroup({"a": fed(planned("a", 4)), "c": fed(planned("c", 3))})
    assert both.get_totals()["files_total"] == 7


def test_a_gpu_is_known_from_whichever_bus_has_a_sample_of_it() -> None:
    clock = ManualClock()
    stale = fed(sampled("node", 10.0), clock=clock)
    clock.advance(10)
    fleets = FleetGroup(
        {"stale": stale, "none": fed(clock=clock), "fresh": fed(sampled("node", 90.0), clock=clock)}
    )
    assert fleets.get_gpu_utilization("GPU-a")["compute_percent"] == 90.0
    assert fleets.get_gpu_utilization("GPU-z") == UNKNOWN_UTILIZATION


def test_an_index_of_two_hosts_is_none_of_them() -> None:
    fleets = FleetGroup({"a": fed(sampled("a", 10.0)), "b": fed(sampled("b", 90.0, Device("GPU-b", "A100", 0)))})
    assert fleets.get_gpu_utilization(0) == UNKNOWN_UTILIZATION
    assert fleets.get_gpu_utilization("GPU-b")["compute_percent"] == 90.0
    assert FleetGroup({"a": fed(sampled("a", 10.0))}).get_gpu_utilization(0)["compute_percent"] == 10.0


def test_the_last_50_steals_of_all_are_merged_by_time() -> None:
    scripts = [Script(host="a"), Script(host="b")]
    for number in range(60):
        script = scripts[number % 2]
        script.clock.advance(2.0 if number > 1 else number)
        script.say("w0", ev.WorkStolen("GPU-a", "GPU-b", f"{number}.fa", 1, script.clock.wall_ns()))
    fleets = FleetGroup({script.frames()[0].hex(): fed(script.frames()) for script in scripts})
    steals = fleets.get_recent_steal_events()
    assert [steal["file_name"] for steal in steals] == [f"{number}.fa" for number in range(10, 60)]
    assert fleets.get_totals()["steals"] == 60


@pytest.mark.parametrize(
    ("buses", "over"), [([], False), (["over"], True), (["over", "over"], True), (["over", "going on"], False)]
)
def test_all_is_over_when_every_bus_is(buses: list[str], over: bool) -> None:
    made = [fed(finished(str(at)) if bus == "over" else planned(str(at), 1)) for at, bus in enumerate(buses)]
    assert FleetGroup({str(at): fleet for at, fleet in enumerate(made)}).finished is over


def test_what_is_said_of_a_bus_names_it_where_there_are_several() -> None:
    fleets = FleetGroup({"a": fed([b"x"]), "b": fed()}, lambda: ["b: has gone"])
    assert fleets.stream_warnings() == [
        "b: has gone",
        *(f"a: {remark}" for remark in fed([b"x"]).stream_warnings()),
    ]


def test_sources_of_which_events_are_lost_are_told_for_all_buses() -> None:
    lossy = [fed([frames[0], frames[-1]]) for frames in (completed("b", files=3), completed("a", files=2))]
    fleets = FleetGroup({"first": lossy[0], "second": lossy[1]})
    assert [(each["host"], each["lost"]) for each in fleets.report()["sources"]] == [("a", 1), ("b", 2)]
    assert fleets.get_totals()["events_lost"] == 3


def test_the_attempts_at_files_of_all_buses_are_told() -> None:
    def failed(host: str, file: str) -> list[bytes]:
        script = Script(host=host)
        script.say("worker-0", ev.FileFailed("GPU-a", file, 1, "empty", 0.1))
        return script.frames()

    fleets = FleetGroup({"a": fed(failed("a", "a.fa")), "b": fed(failed("b", "b.fa"))})
    tried = [{"attempt": 1, "device": "GPU-a", "reason": "empty"}]
    assert fleets.attempts() == {"a.fa": tried, "b.fa": tried}


def test_other_fleets_are_shown_from_one_moment_to_the_next() -> None:
    group, before, after = FleetGroup({}), fed(completed("one")), fed(completed("two", SECOND_GPU))
    assert group.report()["devices"] == []
    group.show({"": before})
    shown = threading.Event()

    def show() -> None:
        group.show({"": after})
        shown.set()

    waiting = threading.Thread(target=show)
    with group.frozen():
        waiting.start()
        assert not shown.wait(0.05)
        assert [row["host"] for row in group.get_gpu_metrics()] == ["one"]
    waiting.join()
    assert [row["host"] for row in group.get_gpu_metrics()] == ["two"]
