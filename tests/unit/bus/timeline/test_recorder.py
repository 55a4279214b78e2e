"""The course of a run, as it is recorded while the run is folded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st

from tests.support.fleets import GPU
from tests.support.runs import MadeRun, made_runs
from virnucpro_bus import events as ev
from virnucpro_bus.clock import NANOSECONDS, ManualClock
from virnucpro_bus.events.vocabulary import CaptureHole, Device
from virnucpro_bus.fold.fleet import FleetState
from virnucpro_bus.testing import Script
from virnucpro_bus.timeline.observers import observed_by
from virnucpro_bus.timeline.recorder import TimelineRecorder
from virnucpro_bus.timeline.timeline import Timeline

OTHER = Device("GPU-b", "A100", 1)


def course_of(
    frames: Iterable[bytes], received_ns: Iterable[int] | None = None, *, broken_off: bool = False
) -> Timeline:
    recorder = TimelineRecorder()
    fleet = FleetState(ManualClock(), handlers=observed_by(recorder.observers()))
    sent = list(frames)
    fleet.feed(sent, None if received_ns is None else list(received_ns))
    if broken_off:
        fleet.break_off()
    return recorder.finish(fleet.hosts())


def begun(script: Script, file: str, *, worker: str = "worker-0", device: Device = GPU, epoch: int = 1) -> None:
    script.say(worker, ev.FileStarted(device.key, file, 1), epoch=epoch)


def announced(script: Script, *, epoch: int = 1) -> None:
    script.say("coordinator", ev.RunStarted("job", "cost", (GPU, OTHER), 2), epoch=epoch)


# Attempts.


@given(made_runs())
def test_every_reported_end_is_an_attempt_and_every_other_begun_file_one_without_an_end(run: MadeRun) -> None:
    ends = Counter(
        (each.event.device, each.event.file, each.event.attempt)
        for each in run.script.envelopes
        if isinstance(each.event, ev.FileCompleted | ev.FileFailed)
    )
    begun = Counter(
        (each.event.device, each.event.file, each.event.attempt)
        for each in run.script.envelopes
        if isinstance(each.event, ev.FileStarted)
    )
    attempts = course_of(run.script.frames()).attempts
    told = [each for each in attempts if each.outcome in ("completed", "failed")]
    assert Counter((each.device, each.file, each.attempt) for each in told) == ends
    assert Counter((each.device, each.file, each.attempt) for each in attempts) == begun
    assert all(each.start_ns <= each.end_ns for each in attempts)


@given(made_runs(), st.randoms(use_true_random=False))
def test_the_course_does_not_depend_on_the_order_of_arrival_nor_on_what_arrives_twice(
    run: MadeRun, random: object
) -> None:
    frames = run.script.frames()
    shuffled = [*frames, *frames[::2]]
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    course, other = course_of(frames), course_of(shuffled)
    assert sorted(other.attempts, key=repr) == sorted(course.attempts, key=repr)
    assert (other.steals, other.depths, other.losses) == (course.steals, course.depths, course.losses)
    assert {key: list(each.times) for key, each in other.samples.items()} == {
        key: list(each.times) for key, each in course.samples.items()
    }


def test_a_completed_file_lasts_from_its_end_minus_its_duration_to_its_end() -> None:
    script = Script()
    begun(script, "a.fa")
    ended = script.say("worker-0", ev.FileCompleted("GPU-a", "a.fa", 1, 100, 3.5), after_seconds=4)
    (attempt,) = course_of(script.frames(), [each.mono_ns + 1_000 for each in script.envelopes]).attempts
    assert (attempt.end_ns, attempt.wall_ns) == (ended.mono_ns + 1_000, ended.wall_ns)
    assert attempt.end_ns - attempt.start_ns == 3.5 * NANOSECONDS
    assert (attempt.outcome, attempt.sequences, attempt.reason) == ("completed", 100, "")


def test_a_failed_attempt_has_its_reason() -> None:
    script = Script()
    script.say("worker-0", ev.FileFailed("GPU-a", "a.fa", 2, "not FASTA", 0.5, final=False))
    (attempt,) = course_of(script.frames()).attempts
    assert (attempt.outcome, attempt.attempt, attempt.reason) == ("failed", 2, "not FASTA")
    assert attempt.sequences is None


def test_a_file_in_progress_is_running_until_now() -> None:
    script = Script()
    announced(script)
    begun(script, "a.fa")
    script.say("worker-1", ev.Heartbeat("GPU-b", "idle", 0, 0, 0, 0, 0), after_seconds=9)
    (attempt,) = course_of(script.frames()).attempts
    assert (attempt.outcome, attempt.duration_seconds) == ("running", 9)


def test_a_file_in_progress_when_its_worker_dies_is_lost_with_the_reason() -> None:
    script = Script()
    announced(script)
    begun(script, "a.fa")
    lost = ev.WorkerLost("GPU-a", "worker-0", 1, "was killed by signal 9", "a.fa", 1)
    script.say("coordinator", lost, after_seconds=2)
    script.clock.advance(50)
    course = course_of(script.frames())
    (attempt,) = course.attempts
    assert (attempt.outcome, attempt.duration_seconds) == ("lost", 2)
    assert attempt.reason == "was killed by signal 9"
    assert [(each.file, each.attempt, each.device) for each in course.losses] == [("a.fa", 1, "GPU-a")]


def test_an_attempt_that_the_launcher_declares_void_is_lost_although_its_worker_reported_its_end() -> None:
    script = Script()
    announced(script)
    begun(script, "a.fa")
    script.say("worker-0", ev.FileCompleted("GPU-a", "a.fa", 1, 100, 1.0), after_seconds=1)
    script.say("coordinator", ev.WorkerLost("GPU-a", "worker-0", 1, "was killed", "a.fa", 1))
    (attempt,) = course_of(script.frames()).attempts
    assert (attempt.outcome, attempt.reason) == ("lost", "was killed")


def test_a_file_in_progress_when_the_run_is_killed_is_broken_off_when_its_worker_was_last_heard() -> None:
    script = Script()
    announced(script)
    begun(script, "a.fa")
    script.say("worker-0", ev.FileProgress("GPU-a", "a.fa", 1, 10), after_seconds=3)
    script.say("coordinator", ev.Notice("bye"), after_seconds=4)
    (attempt,) = course_of(script.frames(), broken_off=True).attempts
    assert (attempt.outcome, attempt.duration_seconds) == ("broken off", 3)


def test_what_an_earlier_session_left_unfinished_is_broken_off_in_the_next() -> None:
    script = Script()
    announced(script)
    begun(script, "a.fa")
    script.clock.advance(60)
    announced(script, epoch=2)
    begun(script, "a.fa", epoch=2)
    outcomes = [each.outcome for each in course_of(script.frames()).attempts]
    assert outcomes == ["broken off", "running"]


# Steals.


def test_a_stolen_attempt_names_the_device_it_was_stolen_from() -> None:
    script = Script()
    script.say("worker-0", ev.WorkStolen("GPU-a", "GPU-b", "a.fa", 1, script.clock.wall_ns()))
    script.say("worker-0", ev.FileCompleted("GPU-a", "a.fa", 1, 1, 1.0), after_seconds=1)
    script.say("worker-0", ev.FileCompleted("GPU-a", "b.fa", 1, 1, 1.0), after_seconds=1)
    course = course_of(script.frames())
    assert [each.stolen_from for each in course.attempts] == ["GPU-b", None]
    assert [(each.thief, each.victim, each.file) for each in course.steals] == [("GPU-a", "GPU-b", "a.fa")]


def test_a_steal_that_only_the_launcher_could_report_counts_once() -> None:
    script = Script()
    decided_ns = script.clock.wall_ns()
    lost = ev.WorkerLost("GPU-a", "worker-0", 1, "was killed", "a.fa", 1, "GPU-b", decided_ns)
    script.say("coordinator", lost, after_seconds=2)
    (alone,) = course_of(script.frames()).steals
    script.say("worker-0", ev.WorkStolen("GPU-a", "GPU-b", "a.fa", 1, decided_ns))
    (both,) = course_of(script.frames()).steals
    assert (alone.thief, alone.victim, alone.file) == (both.thief, both.victim, both.file)


# Loading, samples, pending files, notices.


def test_a_worker_loads_from_its_start_until_it_says_that_it_is_ready() -> None:
    script = Script()
    script.say("worker-0", ev.WorkerStarted(GPU, 100))
    script.say("worker-0", ev.Heartbeat("GPU-a", "starting", 0, 0, 0, 0, 0), after_seconds=5)
    script.say("worker-0", ev.Heartbeat("GPU-a", "idle", 0, 0, 0, 0, 0), after_seconds=2)
    (loading,) = course_of(script.frames()).loading
    assert (loading.end_ns - loading.start_ns, loading.is_ready) == (7 * NANOSECONDS, True)


def test_a_worker_that_never_was_ready_has_loaded_until_it_was_last_heard() -> None:
    script = Script()
    script.say("worker-0", ev.WorkerStarted(GPU, 100))
    script.say("worker-0", ev.Heartbeat("GPU-a", "starting", 0, 0, 0, 0, 0), after_seconds=5)
    (loading,) = course_of(script.frames()).loading
    assert (loading.end_ns - loading.start_ns, loading.is_ready) == (5 * NANOSECONDS, False)


def test_a_worker_that_loads_nothing_has_no_time_of_loading() -> None:
    script = Script()
    script.say("worker-0", ev.WorkerStarted(GPU, 100))
    script.say("worker-0", ev.Heartbeat("GPU-a", "idle", 0, 0, 0, 0, 0), after_seconds=1)
    assert course_of(script.frames()).loading == []


def test_hosts_whose_clocks_differ_are_on_the_axis_of_who_received_their_events() -> None:
    scripts = [Script(host="early"), Script(host="late")]
    scripts[1].clock.mono += 10_000 * NANOSECONDS
    scripts[1].clock.wall += 3_600 * NANOSECONDS
    frames, times = [], []
    for script in scripts:
        script.say("worker-0", ev.FileCompleted("GPU-a", "a.fa", 1, 1, 1.0), after_seconds=3)
        frames += script.frames()
        times.append(500 * NANOSECONDS)
    assert {each.end_ns for each in course_of(frames, times).attempts} == {500 * NANOSECONDS}


def test_samples_are_those_of_the_only_gpu_whose_uuid_begins_with_the_key_of_the_device() -> None:
    script = Script()
    for uuid in ("GPU-1234", "GPU-5678"):
        script.say("sampler", ev.GpuSampled(Device(uuid), 50.0))
    course = course_of(script.frames())
    assert course.samples_of("node", "GPU-12") == {"GPU-12": course.samples["node", "GPU-1234"]}
    assert course.samples_of("node", "GPU-") == {}
    assert course.samples_of("elsewhere", "GPU-12") == {}


def test_notices_are_all_kept_and_so_is_what_could_not_be_recorded() -> None:
    script = Script()
    for number in range(30):
        script.say("coordinator", ev.Notice(f"note {number}"), after_seconds=1)
    script.say("capture", CaptureHole(5, 500))
    course = course_of(script.frames())
    assert [each.text for each in course.notices] == [f"note {number}" for number in range(30)]
    assert course.unrecorded_frames == 5


def test_a_session_lasts_until_its_end_was_reported() -> None:
    script = Script(run="run-7")
    announced(script)
    script.say("coordinator", ev.RunFinished(3, 1, 1), after_seconds=5)
    script.say("sampler", ev.Notice("late"), after_seconds=9)
    (session,) = course_of(script.frames()).sessions
    assert (session.run, session.job, session.policy, session.exit_code) == ("run-7", "job", "cost", 3)
    assert session.end_ns - session.start_ns == 5 * NANOSECONDS


def test_a_killed_session_lasts_until_its_launcher_was_last_heard_and_the_one_that_resumed_it_until_now() -> None:
    script = Script()
    announced(script)
    script.say("coordinator", ev.Notice("still here"), after_seconds=2)
    script.say("worker-0", ev.Heartbeat("GPU-a", "idle", 0, 0, 0, 0, 0), after_seconds=2)
    script.clock.advance(60)
    announced(script, epoch=2)
    script.say("worker-0", ev.Heartbeat("GPU-a", "idle", 0, 0, 0, 0, 0), epoch=2, after_seconds=7)
    sessions = course_of(script.frames()).sessions
    assert [(each.end_ns - each.start_ns) / NANOSECONDS for each in sessions] == [2, 7]
    assert [each.exit_code for each in sessions] == [None, None]


def test_workers_may_die_at_one_time_with_and_without_a_file() -> None:
    script = Script()
    for epoch, file in ((1, "a.fa"), (2, None)):
        script.say("coordinator", ev.WorkerLost(GPU.key, "worker-0", epoch, "was killed", file, 1))
    assert [loss.file for loss in course_of(script.frames()).losses] == [None, "a.fa"]


def test_a_stream_without_work_spans_no_time() -> None:
    assert course_of([]).span_ns is None
