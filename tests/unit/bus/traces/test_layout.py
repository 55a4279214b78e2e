"""Which rows a trace has, and what stands where."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

from hypothesis import given

from tests.support.harmful_texts import assert_harmless
from tests.support.layouts import complete_files, laid_out
from tests.support.recordings import recorded
from tests.support.runs import MadeRun, made_runs
from tests.support.traced_runs import A, B, ReadRow, eventful_run, harmful_runs, read, sample
from virnucpro_bus import events as ev
from virnucpro_bus.events.vocabulary import Device
from virnucpro_bus.testing import Script
from virnucpro_bus.traces.layout import rows_of
from virnucpro_bus.traces.rows import Slice

ATTEMPTS = {"own", "stolen", "failed", "lost", "broken off", "running"}


def rows_by_name(*scripts: Script) -> dict[str, ReadRow]:
    return {row.name: row for row in read(rows_of([recorded(*scripts)]))}


def only(row: ReadRow, kind: str) -> Slice:
    (found,) = [each for each in row.slices if each.kind == kind]
    return found


@given(made_runs())
def test_each_attempt_is_one_slice_as_long_as_it_took(run: MadeRun) -> None:
    recording = recorded(run.script)
    drawn = [each for row in read(rows_of([recording])) for each in row.slices if each.kind in ATTEMPTS]
    assert Counter((each.start_ns, each.end_ns, each.arguments["file"]) for each in drawn) == Counter(
        (each.start_ns, each.end_ns, each.file) for each in recording.timeline.attempts
    )


@given(made_runs())
def test_the_slices_of_a_row_do_not_overlap(run: MadeRun) -> None:
    for row in read(rows_of([recorded(run.script)])):
        lasting = [each for each in row.slices if each.end_ns > each.start_ns]
        assert all(before.end_ns <= after.start_ns for before, after in pairwise(lasting))


@given(made_runs())
def test_each_arrow_starts_at_one_steal_and_ends_later_at_a_stolen_file_of_that_name(run: MadeRun) -> None:
    slices = [each for row in read(rows_of([recorded(run.script)])) for each in row.slices]
    starts = {each.arrow_from: each for each in slices if each.arrow_from is not None}
    ends = {each.arrow_to: each for each in slices if each.arrow_to is not None}
    assert starts.keys() == ends.keys()
    assert len(starts) + len(ends) == sum(each.arrow_from != each.arrow_to for each in slices)
    for number, start in starts.items():
        assert start.kind == "steal"
        assert start.arguments["file"] == ends[number].arguments["file"]
        assert start.end_ns + 1_000 <= ends[number].start_ns


@given(made_runs())
def test_each_steal_of_an_attempt_that_was_begun_has_an_arrow(run: MadeRun) -> None:
    recording = recorded(run.script)
    arrows = sum(each.arrow_from is not None for row in read(rows_of([recording])) for each in row.slices)
    assert arrows == sum(each.stolen_from is not None for each in recording.timeline.attempts)


def test_a_host_has_its_sessions_then_its_devices_by_index() -> None:
    (host,) = rows_of([recorded(eventful_run())])
    assert (host.name, [each.name for each in host.rows]) == (
        "node-a",
        ["run", "GPU 0 NVIDIA A100", "GPU 1 NVIDIA A100"],
    )


def test_pending_files_are_a_figure_of_the_host() -> None:
    row = rows_by_name(eventful_run())["node-a"]
    assert [value for _, value in row.counters["pending files"]] == [4, 2, 1]


def test_a_session_and_its_notices_share_a_row() -> None:
    row = rows_by_name(eventful_run())["run"]
    assert only(row, "session").arguments == {"job": "job", "policy": "cost", "exit_status": 3}
    assert only(row, "notice").name == "sample_1.fa failed, and is tried again"


def test_what_a_host_without_a_run_and_devices_has_to_say_is_shown() -> None:
    script = Script()
    script.say("sampler", ev.Notice("no driver"))
    assert [each.name for each in rows_by_name(script)["run"].slices] == ["no driver"]


def test_workers_without_a_launcher_have_no_row_for_a_run() -> None:
    script = Script()
    script.say("w0", ev.WorkerStarted(A, 100))
    assert list(rows_by_name(script)) == ["node", "GPU 0 NVIDIA A100"]


def test_a_failed_attempt_says_so_in_its_name_and_why_in_its_arguments() -> None:
    failed = only(rows_by_name(eventful_run())["GPU 0 NVIDIA A100"], "failed")
    assert failed.name == "sample_1.fa (failed)"
    assert failed.arguments == {
        "file": "sample_1.fa",
        "outcome": "failed",
        "attempt": 1,
        "reason": "not FASTA",
    }


def test_a_completed_file_has_its_sequences_and_their_rate() -> None:
    own = only(rows_by_name(eventful_run())["GPU 1 NVIDIA A100"], "own")
    assert (own.arguments["sequences"], own.arguments["sequences_per_second"]) == (500, 500.0)


def test_a_steal_is_an_instant_at_the_victim_and_an_arrow_to_the_file_at_the_thief() -> None:
    rows = rows_by_name(eventful_run())
    steal = only(rows["GPU 0 NVIDIA A100"], "steal")
    stolen = only(rows["GPU 1 NVIDIA A100"], "lost")
    assert (steal.name, steal.start_ns) == ("GPU 1 steals sample_3.fa", steal.end_ns)
    assert stolen.arguments["stolen_from"] == "GPU 0"
    assert steal.arrow_from == stolen.arrow_to is not None


def test_a_lost_worker_is_an_instant_with_the_reason() -> None:
    loss = only(rows_by_name(eventful_run())["GPU 1 NVIDIA A100"], "worker lost")
    assert loss.arguments == {"reason": "was killed", "file": "sample_3.fa", "attempt": 1}


def test_a_worker_loads_until_it_is_ready() -> None:
    loading = only(rows_by_name(eventful_run())["GPU 0 NVIDIA A100"], "loading")
    assert loading.end_ns - loading.start_ns == 2_000_000_000


def test_the_times_in_which_a_gpu_is_not_sampled_have_a_row_below_it() -> None:
    row = rows_by_name(eventful_run())["GPU 1 unknown figures"]
    assert [each.name for each in row.slices] == ["not sampled"]


def test_files_in_progress_at_once_on_a_device_have_a_row_each() -> None:
    script = Script()
    script.say("w0", ev.FileCompleted(A.key, "a.fa", 1, 1, 3.0), after_seconds=9)
    script.say("w1", ev.FileCompleted(A.key, "b.fa", 1, 1, 3.0), after_seconds=1)
    rows = rows_by_name(script)
    assert [[each.name for each in row.slices] for name, row in rows.items() if "GPU-a" in name] == [
        ["a.fa"],
        ["b.fa"],
    ]


def test_gpus_without_work_are_left_out_where_others_worked() -> None:
    script = Script()
    script.say("w0", ev.FileCompleted(A.key, "a.fa", 1, 1, 3.0), after_seconds=9)
    sample(script, A, 5.0)
    sample(script, B, 5.0)
    assert [name for name in rows_by_name(script) if name.startswith("GPU")] == ["GPU 0 NVIDIA A100"]
    idle = Script()
    sample(idle, B, 5.0)
    assert "GPU 1 NVIDIA A100" in rows_by_name(idle)


def test_simulated_figures_of_a_device_that_is_not_simulated_are_named_so() -> None:
    script = Script()
    script.say("sampler", ev.GpuSampled(A, 5.0, simulated=True))
    assert "GPU 0 NVIDIA A100 (simulated figures)" in rows_by_name(script)


def test_several_runs_have_rows_of_their_own_named_by_their_paths() -> None:
    recordings = [recorded(eventful_run(), eventful_run("node-b"), path=path) for path in ("r1", "r2")]
    rows = rows_of(recordings)
    assert [each.name for each in rows] == ["r1, node-a", "r1, node-b", "r2, node-a", "r2, node-b"]
    numbers = [each.arrow_from for row in read(rows) for each in row.slices if each.arrow_from is not None]
    assert sorted(numbers) == [1, 2, 3, 4]


def test_texts_of_events_cannot_harm_who_looks_at_them() -> None:
    for recording in harmful_runs():
        for row in read(rows_of([recording, recording])):
            assert_harmless(row.name)
            for each in row.slices:
                assert_harmless(f"{each.name} {each.arguments}")


def test_a_run_without_events_has_no_rows() -> None:
    assert rows_of([recorded()]) == []
    assert rows_of([]) == []


def test_a_device_of_unknown_index_is_called_by_its_key() -> None:
    script = Script()
    script.say("w0", ev.WorkerStarted(Device("cpu:1", "CPU", 1), 100))
    assert "cpu:1" in rows_by_name(script)


def test_the_figures_of_each_gpu_are_drawn_once_at_the_first_device_that_uses_it() -> None:
    rows = rows_by_name(complete_files(laid_out()))
    known = {name: len(row.counters) for name, row in rows.items() if "(2)" not in name and "GPU" in name}
    assert known == {"GPU 0#0 A100": 4, "GPU 0#1 A100": 0, "GPU 1+2 A100": 0, "GPU 1": 4, "GPU 2": 4}
