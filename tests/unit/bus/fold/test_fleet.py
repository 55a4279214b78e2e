"""Several hosts, and the whole as one report."""

from __future__ import annotations

import threading
from typing import Any

import msgpack
import pytest

from tests.support.fleets import GPU, fed, sampled, worked
from virnucpro_bus import events as ev
from virnucpro_bus.clock import NANOSECONDS, ManualClock
from virnucpro_bus.events.vocabulary import Device
from virnucpro_bus.fold.fleet import FleetState
from virnucpro_bus.fold.fleet_group import FleetGroup
from virnucpro_bus.metrics import UNKNOWN_UTILIZATION, Effect, FileRecord, GpuMetrics, GpuUtilization, Totals
from virnucpro_bus.testing import Script

HOUR_NS = 3600 * NANOSECONDS
STEALS = ["timestamp", "source_gpu", "dest_gpu", "file_name", "host"]


# Several hosts.


def test_hosts_stand_one_after_the_other_and_add_up() -> None:
    fleet = fed(ManualClock(), worked("beta"), worked("alpha"))
    rows = fleet.get_gpu_metrics()
    assert [(row["host"], row["device_id"]) for row in rows] == [("alpha", 0), ("beta", 0)]
    totals = fleet.get_totals()
    assert (totals["files_completed"], totals["sequences"], totals["files_total"]) == (2, 200, None)
    assert (totals["events_published"], totals["events_received"], totals["events_lost"]) == (6, 6, 0)


def test_files_in_all_are_those_of_the_hosts_that_have_a_plan() -> None:
    planned = Script(host="alpha")
    planned.say("coordinator", ev.RunStarted("job", "off", (GPU,), 7))
    idle = Script(host="beta")
    idle.say("sampler", ev.GpuSampled(Device("GPU-a"), 1.0))
    assert fed(ManualClock(), planned, idle).get_totals()["files_total"] == 7


def test_where_one_host_works_without_a_plan_the_number_of_all_files_is_unknown() -> None:
    planned = Script(host="alpha")
    planned.say("coordinator", ev.RunStarted("job", "cost", (), 7))
    assert fed(ManualClock(), planned, worked("beta")).get_totals()["files_total"] is None


def test_a_run_of_no_planned_files_has_an_unknown_number_of_files() -> None:
    unplanned = worked("alpha")
    unplanned.say("coordinator", ev.RunStarted("job", "cost", (), 0))
    totals = fed(ManualClock(), unplanned).get_totals()
    assert (totals["files_total"], totals["files_completed"]) == (None, 1)


def test_a_fleet_is_finished_when_every_announced_run_is() -> None:
    first, second = Script(host="alpha"), Script(host="beta")
    for script in (first, second):
        script.say("coordinator", ev.RunStarted("job", "off", (GPU,), 7))
    first.say("coordinator", ev.RunFinished(0, 7, 0))
    assert not fed(ManualClock(), first, second).finished
    second.say("coordinator", ev.RunFinished(0, 7, 0))
    assert fed(ManualClock(), first, second).finished


def test_a_fleet_without_an_announced_run_is_never_finished() -> None:
    assert not fed(ManualClock(), worked("alpha")).finished


def test_steals_of_all_hosts_are_told_by_time_and_at_most_fifty() -> None:
    scripts = []
    for host, start in (("alpha", 0), ("beta", 1)):
        script = Script(host=host)
        for at in range(start, 80, 2):
            script.say("w0", ev.WorkStolen("GPU-a", "GPU-b", f"{at}.fa", 1, at * NANOSECONDS))
        scripts.append(script)
    steals = fed(ManualClock(), *scripts).get_recent_steal_events()
    assert [steal["timestamp"] for steal in steals] == [float(at) for at in range(30, 80)]
    assert list(steals[0]) == STEALS


def test_failures_of_all_hosts_are_told_by_file() -> None:
    script, other = Script(host="alpha"), Script(host="beta")
    script.say("w0", ev.FileFailed("GPU-a", "a.fa", 1, "not FASTA", 0.1))
    other.say("w0", ev.FileFailed("GPU-a", "b.fa", 1, "empty", 0.1))
    assert fed(ManualClock(), script, other).failures() == {"a.fa": "not FASTA", "b.fa": "empty"}


# Files.


def test_the_last_hundred_files_of_all_hosts_are_told_with_our_time_oldest_first() -> None:
    here, there = Script(host="here"), Script(host="there")
    for at in range(80):
        for script, name in ((here, "near"), (there, "far")):
            done = ev.FileCompleted("GPU-a", f"{name}_{at}.fa", 2, 5, 1.0)
            script.say("w0", done, after_seconds=1 if script is here else 1.1)
    clock = ManualClock()
    fleet = fed(clock)
    for script in (here, there):
        for envelope in script.envelopes:
            fleet.apply(envelope, envelope.mono_ns)
    files = fleet.files()
    assert len(files) == 100
    assert [file["ended"] for file in files] == sorted(file["ended"] for file in files)
    assert (files[-1]["file"], files[-1]["host"], files[-1]["attempt"]) == ("far_79.fa", "there", 2)
    assert files[-1]["ended"] == there.clock.wall_ns() / NANOSECONDS
    assert (files[-1]["compute_percent"], files[-1]["energy_joules"]) == (None, None)


# Utilization.


def test_a_gpu_is_found_by_uuid_and_by_index() -> None:
    fleet = fed(ManualClock(), sampled("here"))
    known = {"compute_percent": 50.0, "memory_percent": 25.0, "temperature": 60.0, "power_watts": 200.0}
    more = {"compute_max_percent": 50.0, "energy_joules": None, "sample_age_seconds": 0.0}
    more |= {"simulated": False, "lost": False, "memory_used_bytes": 1, "memory_total_bytes": 4}
    assert fleet.get_gpu_utilization("GPU-a") == fleet.get_gpu_utilization(0) == {**known, **more}


def looked_at_each_half_second(*percents: float) -> tuple[ManualClock, list[bytes]]:
    script = Script(host="here")
    for percent in percents:
        script.say("sampler", ev.GpuSampled(Device("GPU-a", "A100", 0), percent), after_seconds=0.5)
    return script.clock, script.frames()


@pytest.mark.parametrize(("interval_seconds", "mean", "greatest"), [(0.1, 80, 80), (1.0, 70, 80), (2.0, 57.5, 90)])
def test_load_is_the_mean_and_the_greatest_of_the_samples_of_the_interval(
    interval_seconds: float, mean: float, greatest: float
) -> None:
    clock, frames = looked_at_each_half_second(100, 100, 0, 90, 60, 80)
    fleet = FleetState(clock, "here", interval_seconds)
    fleet.feed(frames[:2] + frames[3:] + frames[2:3])
    found = fleet.get_gpu_utilization("GPU-a")
    assert (found["compute_percent"], found["compute_max_percent"]) == (mean, greatest)


def test_a_sample_that_does_not_report_the_load_makes_it_unknown() -> None:
    clock, frames = looked_at_each_half_second(20, 40)
    lost = Script(host="here")
    lost.say("sampler", ev.GpuSampled(GPU, lost=True), epoch=2, after_seconds=1.5)
    found = fed(lost.clock, lost).get_gpu_utilization("GPU-a")
    fleet = FleetState(clock, "here")
    fleet.feed(frames + lost.frames())
    assert fleet.get_gpu_utilization("GPU-a") == found
    assert (found["compute_percent"], found["compute_max_percent"]) == (None, None)


def test_a_copy_tells_loads_over_the_same_interval() -> None:
    clock, frames = looked_at_each_half_second(20, 40)
    copy = FleetState(clock, "here", 0.5).empty_copy()
    copy.feed(frames)
    assert copy.get_gpu_utilization("GPU-a")["compute_percent"] == 40


def test_an_index_that_two_hosts_have_is_unknown_but_uuids_are_not() -> None:
    clock = ManualClock()
    fleet = fed(clock, sampled("here", percent=10.0), sampled("there", Device("GPU-b", "A100", 0), 90.0))
    assert fleet.get_gpu_utilization(0) == UNKNOWN_UTILIZATION
    assert [fleet.get_gpu_utilization(key)["compute_percent"] for key in ("GPU-a", "GPU-b")] == [10.0, 90.0]


def test_a_stale_sample_and_an_unknown_gpu_are_unknown() -> None:
    clock = ManualClock()
    fleet = fed(clock, sampled("here"))
    clock.advance(3.1)
    assert fleet.get_gpu_utilization("GPU-z") == UNKNOWN_UTILIZATION
    assert fleet.get_gpu_utilization("GPU-a") == {**UNKNOWN_UTILIZATION, "sample_age_seconds": 3.1}


def test_what_is_handed_out_can_be_changed_without_harm() -> None:
    fleet = fed(ManualClock(), sampled("here"))
    fleet.get_gpu_utilization("GPU-z")["compute_percent"] = 1.0
    assert fleet.get_gpu_utilization("GPU-y") == UNKNOWN_UTILIZATION


# The report.


def test_the_report_has_the_declared_keys_and_no_others() -> None:
    script = worked("here")
    script.say("w0", ev.WorkStolen("GPU-a", "GPU-b", "b.fa", 1, 5))
    report: dict[str, Any] = {**fed(script.clock, script).report()}
    keys = ["devices", "totals", "steals", "sources", "effect", "files", "runs", "problems", "failed_files"]
    assert list(report) == keys
    assert set(report["effect"]) == set(Effect.__annotations__)
    assert [set(steal) for steal in report["effect"]["steals"]] == [{*STEALS, "saved_seconds", "saved_range"}]
    device_keys = {*GpuMetrics.__annotations__, *GpuUtilization.__annotations__}
    assert [set(row) for row in report["devices"]] == [device_keys, device_keys]
    assert set(report["totals"]) == set(Totals.__annotations__)
    assert [list(steal) for steal in report["steals"]] == [STEALS]
    assert [set(file) for file in report["files"]] == [set(FileRecord.__annotations__)]


def test_the_keys_that_were_asked_for_are_there() -> None:
    asked = "device_id device_name queue_depth files_completed work_stolen_from work_stolen_to throughput"
    asked += " last_update_time uuid host sequences compute_percent memory_percent temperature power_watts"
    totals = (
        "files_total files_completed files_failed sequences steals events_published events_received events_lost"
    )
    report = fed(ManualClock(), worked("here")).report()
    assert set(asked.split()) <= set(report["devices"][0])
    assert set(totals.split()) == set(report["totals"])


def test_a_row_of_the_report_carries_its_own_gpus_sample() -> None:
    device = Device("GPU-b", "T4", 1)
    there = worked("there", device)
    there.say("sampler", ev.GpuSampled(device, 50.0))
    fleet = fed(ManualClock(), worked("here"), there)
    assert [row["compute_percent"] for row in fleet.report()["devices"]] == [None, 50.0]


def test_an_empty_fleet_has_an_empty_report() -> None:
    fleet = FleetState(ManualClock())
    assert (fleet.report()["devices"], fleet.report()["steals"], fleet.elapsed_seconds()) == ([], [], None)


# Lost events.


def test_the_sources_that_lost_something_are_told_and_balance() -> None:
    first, other = Script(host="alpha"), Script(host="beta")
    for number in range(10):
        first.say("w0", ev.FileStarted("GPU-a", f"{number}.fa"), epoch=number // 5)
        other.say("sampler", ev.GpuSampled(GPU, 50.0))
    fleet = FleetState(ManualClock())
    fleet.feed([*other.frames()[4:], *first.frames()[:6], *first.frames()[8:]])
    names = ["host", "source", "epoch", "published", "received", "lost"]
    assert fleet.report()["sources"] == [
        dict(zip(names, ("alpha", "w0", 1, 5, 3, 2), strict=True)),
        dict(zip(names, ("beta", "sampler", 1, 10, 6, 4), strict=True)),
    ]
    fleet.feed([*first.frames(), *other.frames()])
    assert fleet.report()["sources"] == []


@pytest.mark.parametrize("several", [False, True], ids=["a fleet", "several buses"])
def test_what_comes_while_a_report_is_made_is_in_all_of_it_or_nowhere(
    monkeypatch: pytest.MonkeyPatch, several: bool
) -> None:
    script = Script()
    for number in range(10):
        script.say("w0", ev.FileStarted("GPU-a", f"{number}.fa"))
    fleet = FleetState(ManualClock())
    fleet.feed(script.frames()[:1])
    asked = FleetGroup({"bus": fleet}) if several else fleet
    tell_totals = asked.get_totals
    feeder = threading.Thread(target=fleet.feed, args=[script.frames()[5:]])

    def totals_and_then_events_come() -> Totals:
        told = tell_totals()
        feeder.start()
        feeder.join(0.2)
        return told

    monkeypatch.setattr(asked, "get_totals", totals_and_then_events_come)
    report = asked.report()
    feeder.join()
    assert sum(source["lost"] for source in report["sources"]) == report["totals"]["events_lost"]
    assert tell_totals()["events_lost"] > 0


# Frames that are not ours.


def test_frames_that_are_no_events_are_counted_by_reason_and_cost_nothing_else() -> None:
    frames = worked("here").frames()
    mixed = [b"", frames[0], b"\xc1", msgpack.packb([1]), *frames[1:], b"x" * 70_000]
    fleet = FleetState(ManualClock(), "here")
    fleet.feed(mixed, None)
    assert fleet.refused == {"not-messagepack": 2, "not-an-event": 1, "oversized": 1}
    assert fleet.get_totals()["events_received"] == 3


def test_a_batch_without_any_event_is_fine() -> None:
    fleet = FleetState(ManualClock(), "here")
    fleet.feed([b""], 5)
    fleet.feed([], 5)
    assert fleet.get_totals()["events_published"] == 0


def test_it_can_be_read_while_another_thread_feeds_it() -> None:
    script = Script(host="here")
    for at in range(20_000):
        script.say("w0", ev.FileCompleted("GPU-a", f"{at}.fa", 1, 1, 0.0))
    fleet = FleetState(script.clock, "here")
    frames = script.frames()
    batches = [frames[at : at + 100] for at in range(0, len(frames), 100)]

    def feed() -> None:
        for batch in batches:
            fleet.feed(batch)

    feeder = threading.Thread(target=feed)
    feeder.start()
    seen = []
    while feeder.is_alive():
        totals = fleet.get_totals()
        seen.append((totals["files_completed"], totals["sequences"]))
    feeder.join()
    assert all(completed == sequences for completed, sequences in seen)
    assert fleet.get_totals()["files_completed"] == 20_000


def test_attempts_that_came_to_nothing_are_listed_by_file_whatever_became_of_it() -> None:
    script = Script()
    script.say("w0", ev.FileFailed("GPU-a", "a.fa", 1, "CUDA out of memory", 0.1, final=False))
    script.say("w1", ev.FileStarted("GPU-b", "b.fa", 1))
    script.say("c", ev.WorkerLost("GPU-b", "w1", 1, "was killed by SIGKILL", "b.fa", 1))
    script.say("w0", ev.FileFailed("GPU-a", "b.fa", 2, "not FASTA", 0.1))
    script.say("w0", ev.FileCompleted("GPU-a", "a.fa", 2, 10, 0.1))
    for envelopes in (script.envelopes, script.envelopes[::-1]):
        fleet = FleetState(ManualClock())
        for envelope in envelopes:
            fleet.apply(envelope)
        assert fleet.attempts() == {
            "a.fa": [{"attempt": 1, "device": "GPU-a", "reason": "CUDA out of memory"}],
            "b.fa": [
                {"attempt": 1, "device": "GPU-b", "reason": "was killed by SIGKILL"},
                {"attempt": 2, "device": "GPU-a", "reason": "not FASTA"},
            ],
        }
        totals = fleet.get_totals()
        assert (totals["files_completed"], totals["files_failed"]) == (1, 1)
        assert fleet.failures() == {"b.fa": "not FASTA"}


@pytest.mark.parametrize(
    ("exit_code", "state"), [(None, "running"), (0, "finished"), (3, "finished"), (130, "interrupted")]
)
def test_a_run_reports_its_state_and_how_long_it_took(exit_code: int | None, state: str) -> None:
    script = worked("here")
    script.say("coordinator", ev.RunStarted("job", "cost", (), 1))
    script.clock.advance(20)
    if exit_code is not None:
        script.say("coordinator", ev.RunFinished(exit_code, 1, 0))
    (run,) = fed(script.clock, script).runs()
    assert (run["job"], run["policy"], run["host"]) == ("job", "cost", "here")
    assert (run["state"], run["exit_code"], run["elapsed_seconds"]) == (state, exit_code, 20)


def test_a_run_whose_hub_is_gone_is_broken_off() -> None:
    script = worked("here")
    script.say("coordinator", ev.RunStarted("job", "cost", (), 1))
    fleet = fed(script.clock, script)
    fleet.break_off()
    (run,) = fleet.runs()
    assert (run["state"], run["exit_code"]) == ("broken off", None)


def test_a_hub_without_a_run_is_over_once_it_has_ended_and_no_longer_when_the_next_one_continues() -> None:
    script = worked("here")
    script.say("coordinator", ev.RunFinished(0, 1, 0))
    fleet = fed(script.clock, script)
    assert (fleet.finished, fleet.runs()) == (True, [])
    script.say("coordinator", ev.Notice("the hub continues"), epoch=2)
    for frames in (script.frames(), script.frames()[::-1]):
        fleet = FleetState(script.clock)
        fleet.feed(frames)
        assert not fleet.finished


def test_of_two_announcements_in_one_session_the_later_counts_in_whatever_order_they_come() -> None:
    script = Script(host="here")
    script.say("coordinator", ev.RunStarted("own workers", "own", (GPU,), 1))
    script.say("coordinator", ev.RunStarted("own workers", "own", (GPU, Device("GPU-b")), 2))
    for frames in (script.frames(), script.frames()[::-1]):
        fleet = FleetState(script.clock)
        fleet.feed(frames)
        assert fleet.get_totals()["files_total"] == 2
        assert len(fleet.get_gpu_metrics()) == 2


def test_where_workers_of_one_host_name_several_runs_a_warning_names_them_whatever_the_order() -> None:
    scripts = [Script(host="here", run=run) for run in ("b", "a", "a", "")]
    for number, script in enumerate(scripts):
        script.say(f"w{number}", ev.WorkerStarted(Device(f"cpu:{number}"), 1))
    warning = "workers of here name several runs (a, b), and their figures are added up; start a hub for each run"
    assert fed(ManualClock(), *scripts).stream_warnings() == [warning]
    assert fed(ManualClock(), *scripts[::-1]).stream_warnings() == [warning]
    assert fed(ManualClock(), *scripts[1:]).stream_warnings() == []


def test_workers_without_a_launcher_are_no_run() -> None:
    assert fed(ManualClock(), worked("here")).runs() == []
