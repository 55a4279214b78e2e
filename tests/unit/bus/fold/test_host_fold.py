"""The fold of one host, by scripts of two devices."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.two_devices import FAST, SLOW, begun, folded, row
from virnucpro_bus import events as ev
from virnucpro_bus.events.codec import Foreign
from virnucpro_bus.events.vocabulary import Device
from virnucpro_bus.fold.host_fold import HostFold
from virnucpro_bus.testing import Script

BEAT = ev.Heartbeat("GPU-a", "idle", 0, 0, 0, 0, 0)


@pytest.fixture
def run() -> Script:
    """A run of two devices whose workers w0 and w1 have just started."""
    return begun()


def done(file: str, sequences: int, seconds: float, device: str = "GPU-a", attempt: int = 1) -> ev.FileCompleted:
    return ev.FileCompleted(device, file, attempt, sequences, seconds)


def test_an_announced_device_has_a_row_before_it_has_done_anything() -> None:
    script = Script()
    script.say("coordinator", ev.RunStarted("job", "off", (SLOW, Device("cpu:0"), FAST), 4))
    rows = folded(script).metrics(script.clock.mono_ns())
    assert [each["device_id"] for each in rows] == [0, 1, "cpu:0"]
    assert rows[0] == {
        "device_id": 0,
        "device_name": "A100",
        "queue_depth": None,
        "files_completed": 0,
        "work_stolen_from": 0,
        "work_stolen_to": 0,
        "throughput": None,
        "last_update_time": None,
        "uuid": "GPU-a",
        "host": "node",
        "sequences": 0,
        "files_failed": 0,
        "state": "starting",
        "current_file": None,
        "seconds_since_done": 0.0,
        "current_file_percent": None,
        "loading_seconds": None,
        "key": "GPU-a",
        "gpus": ["GPU-a"],
        "cpu_percent": None,
        "resident_bytes": None,
        "worker": None,
        "read_bytes_per_second": None,
    }
    assert (rows[2]["uuid"], rows[2]["key"], rows[2]["gpus"]) == (None, "cpu:0", [])


def test_a_completion_counts_for_its_device_alone(run: Script) -> None:
    run.say("w0", ev.FileStarted("GPU-a", "a.fa", 1))
    run.say("w0", done("a.fa", 100, 4.0), after_seconds=4)
    assert (row(run)["files_completed"], row(run)["sequences"], row(run)["throughput"]) == (1, 100, 25.0)
    assert row(run)["last_update_time"] == run.clock.wall_ns() / 1e9
    assert (row(run, SLOW)["files_completed"], row(run, SLOW)["throughput"]) == (0, None)


def test_progress_moves_the_rate_of_a_long_file(run: Script) -> None:
    run.say("w0", ev.FileStarted("GPU-a", "a.fa", 1))
    run.say("w0", ev.FileProgress("GPU-a", "a.fa", 1, 300), after_seconds=10)
    assert row(run)["throughput"] == 30.0


def test_progress_of_another_attempt_does_not_count(run: Script) -> None:
    run.say("w0", ev.FileProgress("GPU-a", "a.fa", 1, 300))
    run.say("w0", ev.FileStarted("GPU-a", "a.fa", 2))
    assert row(run, after_seconds=10)["throughput"] is None


def test_progress_of_a_file_that_is_begun_again_does_not_count() -> None:
    """Workers without a launcher do not count attempts."""
    script = Script()
    script.say("w0", ev.FileStarted("GPU-a", "a.fa"))
    script.say("w0", ev.FileProgress("GPU-a", "a.fa", 0, 300), after_seconds=1)
    script.say("w0", ev.FileStarted("GPU-a", "a.fa"), after_seconds=1)
    assert row(script, after_seconds=10)["throughput"] is None


@pytest.mark.parametrize(
    ("sequences", "total", "percent"),
    [(63, 100, 63.0), (0, 100, 0.0), (130, 100, 100.0), (63, None, None), (63, 0, None)],
)
def test_progress_with_a_total_is_the_percentage_of_the_current_file(
    run: Script, sequences: int, total: int | None, percent: float | None
) -> None:
    run.say("w0", ev.FileStarted("GPU-a", "a.fa", 1))
    run.say("w0", ev.FileProgress("GPU-a", "a.fa", 1, sequences, total))
    assert (row(run)["current_file_percent"], row(run, SLOW)["current_file_percent"]) == (percent, None)


@pytest.mark.parametrize(
    "said",
    [
        done("a.fa", 100, 4.0),
        ev.FileFailed("GPU-a", "a.fa", 1, "bad", 1.0, final=False),
        ev.FileStarted("GPU-a", "a.fa", 1),
        ev.FileStarted("GPU-a", "a.fa", 2),
        ev.FileStarted("GPU-a", "b.fa", 1),
        ev.WorkerStopped("GPU-a", "finished"),
    ],
    ids=lambda said: f"{type(said).__name__} {getattr(said, 'attempt', '')}",
)
def test_a_percentage_ends_with_its_attempt(run: Script, said: ev.Fact) -> None:
    run.say("w0", ev.FileStarted("GPU-a", "a.fa", 1))
    run.say("w0", ev.FileProgress("GPU-a", "a.fa", 1, 63, 100))
    run.say("w0", said)
    assert row(run)["current_file_percent"] is None


def test_of_two_workers_on_a_device_the_percentage_is_that_of_the_current_file(run: Script) -> None:
    run.say("w0", ev.FileStarted("GPU-a", "a.fa", 1))
    run.say("w2", ev.FileStarted("GPU-a", "z.fa", 1), after_seconds=1)
    run.say("w0", ev.FileProgress("GPU-a", "a.fa", 1, 90, 100))
    assert (row(run)["current_file"], row(run)["current_file_percent"]) == ("z.fa", None)
    run.say("w2", ev.FileProgress("GPU-a", "z.fa", 1, 20, 100))
    assert (row(run)["current_file"], row(run)["current_file_percent"]) == ("z.fa", 20.0)


def test_a_failure_is_counted_and_its_reason_kept(run: Script) -> None:
    run.say("w0", ev.FileFailed("GPU-a", "a.fa", 1, "not FASTA", 0.1))
    assert (row(run)["files_failed"], folded(run).totals()["files_failed"]) == (1, 1)
    assert folded(run).failures == {"a.fa": (1, "not FASTA")}


def test_a_failed_attempt_at_a_file_that_is_tried_again_is_no_failed_file(run: Script) -> None:
    run.say("w0", ev.FileFailed("GPU-a", "a.fa", 1, "out of memory", 0.1, final=False))
    assert (row(run)["files_failed"], row(run)["state"], folded(run).failures) == (0, "idle", {})


def test_a_quarantined_file_has_failed_though_no_device_failed_it(run: Script) -> None:
    run.say("coordinator", ev.FileQuarantined("a.fa", 3, "it ended 3 workers"))
    assert (row(run)["files_failed"], folded(run).totals()["files_failed"]) == (0, 1)
    assert folded(run).failures == {"a.fa": (3, "it ended 3 workers")}


def test_a_steal_is_counted_at_both_ends_and_told(run: Script) -> None:
    run.say("w0", ev.WorkStolen("GPU-a", "GPU-b", "b.fa", 1, 1_700_000_000_500_000_000))
    assert (row(run)["work_stolen_to"], row(run)["work_stolen_from"]) == (1, 0)
    assert (row(run, SLOW)["work_stolen_to"], row(run, SLOW)["work_stolen_from"]) == (0, 1)
    told = {"timestamp": 1_700_000_000.5, "source_gpu": 1, "dest_gpu": 0, "file_name": "b.fa", "host": "node"}
    assert folded(run).steals() == [told]


def test_of_many_steals_the_last_fifty_are_told_and_all_are_counted(run: Script) -> None:
    for at in range(60):
        run.say("w0", ev.WorkStolen("GPU-a", "GPU-b", f"{at}.fa", 1, at))
    assert [steal["file_name"] for steal in folded(run).steals()] == [f"{at}.fa" for at in range(10, 60)]
    assert row(run, SLOW)["work_stolen_from"] == 60


LOST_WITH_STOLEN = ev.WorkerLost("GPU-a", "w0", 1, "was killed", "b.fa", 2, "GPU-b", 17)
STOLEN = ev.WorkStolen("GPU-a", "GPU-b", "b.fa", 2, 17)


@pytest.mark.parametrize("worker_said_it", [True, False])
@pytest.mark.parametrize("launcher_first", [True, False])
def test_a_steal_of_a_worker_that_died_counts_once(
    run: Script, worker_said_it: bool, launcher_first: bool
) -> None:
    if launcher_first:
        run.say("coordinator", LOST_WITH_STOLEN)
    if worker_said_it:
        run.say("w0", STOLEN)
    if not launcher_first:
        run.say("coordinator", LOST_WITH_STOLEN)
    assert (row(run)["work_stolen_to"], row(run, SLOW)["work_stolen_from"]) == (1, 1)
    assert folded(run).totals()["steals"] == len(folded(run).steals()) == 1


def test_a_restarted_worker_adds_to_what_its_device_has_done(run: Script) -> None:
    run.say("w0", done("a.fa", 100, 1.0))
    run.say("coordinator", ev.WorkerLost("GPU-a", "w0", 1, "was killed"))
    run.say("w0", ev.WorkerStarted(FAST, 102), epoch=2)
    run.say("w0", done("b.fa", 50, 1.0), epoch=2)
    assert (row(run)["files_completed"], row(run)["sequences"], row(run)["state"]) == (2, 150, "idle")


def test_totals_of_a_heartbeat_heal_what_was_missed(run: Script) -> None:
    run.say("w0", done("a.fa", 100, 1.0))
    run.say("w0", ev.FileFailed("GPU-a", "b.fa", 1, "bad", 1.0))
    run.say("w0", ev.WorkStolen("GPU-a", "GPU-b", "c.fa", 1, 5))
    run.say("w0", ev.Heartbeat("GPU-a", "idle", 1, 1, 100, 1, 0))
    missed = run.envelopes[3:6]
    del run.envelopes[3:6]
    healed = row(run)
    assert (healed["files_completed"], healed["files_failed"], healed["sequences"]) == (1, 1, 100)
    assert healed["work_stolen_to"] == 1
    assert folded(run).totals()["events_lost"] == len(missed)


def test_an_old_heartbeat_takes_nothing_back(run: Script) -> None:
    run.say("w0", ev.Heartbeat("GPU-a", "idle", 5, 0, 500, 0, 0))
    run.say("w0", ev.Heartbeat("GPU-a", "idle", 6, 0, 600, 0, 0))
    run.envelopes.reverse()
    assert (row(run)["files_completed"], row(run)["sequences"]) == (6, 600)


# States.


@pytest.mark.parametrize(
    ("said", "state"),
    [
        ([], "idle"),
        ([ev.FileStarted("GPU-a", "a.fa", 1)], "busy"),
        ([ev.FileStarted("GPU-a", "a.fa", 1), done("a.fa", 1, 1.0)], "idle"),
        ([ev.FileStarted("GPU-a", "a.fa", 1), ev.FileFailed("GPU-a", "a.fa", 1, "bad", 1.0)], "idle"),
        ([ev.WorkerStopped("GPU-a", "finished")], "stopped"),
    ],
)
def test_the_state_is_what_the_worker_said_last(run: Script, said: list[ev.Fact], state: str) -> None:
    for event in said:
        run.say("w0", event)
    assert row(run)["state"] == state
    assert row(run)["current_file"] == ("a.fa" if state == "busy" else None)


def test_a_device_whose_worker_was_lost_is_lost_and_holds_nothing(run: Script) -> None:
    run.say("w0", ev.FileStarted("GPU-a", "a.fa", 1))
    run.say("coordinator", ev.WorkerLost("GPU-a", "w0", 1, "was killed", "a.fa", 1))
    assert (row(run)["state"], row(run)["current_file"]) == ("lost", None)


def test_a_worker_whose_heartbeats_stop_is_silent_after_five_seconds(run: Script) -> None:
    run.say("w0", BEAT)
    assert (row(run, after_seconds=5)["state"], row(run, after_seconds=5.1)["state"]) == ("idle", "silent")


def test_a_worker_that_never_sent_a_heartbeat_is_not_called_silent(run: Script) -> None:
    assert row(run, after_seconds=1_000)["state"] == "idle"


def test_of_two_workers_on_a_device_the_busy_one_gives_the_state(run: Script) -> None:
    run.say("w2", ev.WorkerStarted(FAST, 103))
    run.say("w2", ev.FileStarted("GPU-a", "z.fa", 1))
    assert (row(run)["state"], row(run)["current_file"]) == ("busy", "z.fa")


# Samples, the end, what is unknown.


def test_the_end_of_the_run_freezes_every_figure(run: Script) -> None:
    run.say("w0", done("a.fa", 100, 4.0), after_seconds=4)
    run.say("w0", BEAT)
    run.say("sampler", ev.GpuSampled(FAST, 50.0))
    run.say("coordinator", ev.RunFinished(0, 1, 0), after_seconds=1)
    fold, now_ns = folded(run), run.clock.mono_ns()
    later_ns = now_ns + 3600 * 10**9
    assert fold.metrics(later_ns) == fold.metrics(now_ns)
    assert fold.utilizations(later_ns).get(0) == fold.utilizations(now_ns).get(0)
    assert fold.elapsed_seconds(later_ns) == 5.0


def test_before_a_run_announces_itself_the_time_is_unknown() -> None:
    assert HostFold("node").elapsed_seconds(10**9) is None


def foreign(source: str, seq: int, **other: Any) -> Foreign:
    header: dict[str, Any] = {"version": 1, "run": "r", "host": "node", "epoch": 1, "wall_ns": 1, "mono_ns": 1}
    return Foreign(**{"kind": "new.kind/", "source": source, "seq": seq, "body": [], **header, **other})


def test_an_unknown_kind_is_counted_once_and_changes_nothing_else(run: Script) -> None:
    fold, now_ns = folded(run), run.clock.mono_ns()
    before = fold.metrics(now_ns)
    assert [fold.apply(foreign("w0", 2)) for _ in range(2)] == [True, False]
    assert (fold.unknown_kinds, fold.metrics(now_ns)) == (1, before)


def test_an_unknown_kind_leaves_no_hole_in_its_stream(run: Script) -> None:
    fold = folded(run)
    fold.apply(foreign("w0", 2))
    assert (fold.totals()["events_published"], fold.totals()["events_lost"]) == (4, 0)
