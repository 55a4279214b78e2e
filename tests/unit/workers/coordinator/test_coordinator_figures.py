"""What the coordinator reports: its figures to viewers, its events to the bus."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from tests.support.plans import coordinator_of, cpus, input_file, input_files, lose, queue_depths, take
from virnucpro_bus.clock import NANOSECONDS, ManualClock
from virnucpro_bus.events.codec import MAX_FRAME_BYTES, decode, encode
from virnucpro_bus.events.envelope import make_envelope
from virnucpro_bus.events.run_events import (
    DeviceJoined,
    FilesAssigned,
    Notice,
    PlannedFile,
    RunFinished,
    RunStarted,
)
from virnucpro_bus.events.vocabulary import NAME_CHARACTERS, Device, Fact, QueueDepths, WorkerLost
from virnucpro_bus.metrics import GpuMetrics
from virnucpro_bus.testing import ListSink
from workers.coordinator.assignment import Assignment
from workers.coordinator.coordinator import WorkStealingCoordinator
from workers.desk.limits import MAX_DEVICES

# --- figures


def test_the_metrics_have_every_promised_key_and_no_other() -> None:
    [row] = coordinator_of(1, []).get_gpu_metrics()
    assert set(row) == set(GpuMetrics.__annotations__)


def test_throughput_is_sequences_over_the_time_since_the_first_start() -> None:
    clock = ManualClock()
    coordinator = WorkStealingCoordinator(cpus(1), input_files([2, 1]), clock=clock)
    for _ in range(2):
        name = take(coordinator, "cpu:0").file.id
        clock.advance(5)
        coordinator.record_file_completion("cpu:0", name, 100, 5.0)
    assert coordinator.get_gpu_metrics()[0]["throughput"] == pytest.approx(20.0)
    clock.advance(10)
    assert coordinator.get_gpu_metrics()[0]["throughput"] == pytest.approx(10.0)


def test_throughput_and_last_update_are_unknown_before_the_first_completion() -> None:
    [row] = coordinator_of(1, [1]).get_gpu_metrics()
    assert (row["throughput"], row["last_update_time"]) == (None, None)


def test_the_number_of_files_is_unknown_without_a_plan() -> None:
    coordinator = coordinator_of(2, [])
    for number in range(3):
        coordinator.record_file_completion("cpu:0", f"{number}.fa", 1, 1.0)
    totals = coordinator.get_totals()
    assert (totals["files_total"], totals["files_completed"]) == (None, 3)


@pytest.mark.parametrize("planned", ["f0.fa", "/data/f0.fa"], ids=["id", "path"])
def test_files_that_are_not_in_the_plan_do_not_finish_it(planned: str) -> None:
    coordinator = coordinator_of(1, [2, 1])
    for number in range(2):
        coordinator.record_file_completion("cpu:0", f"other{number}.fa", 1, 1.0)
    coordinator.record_file_failure("cpu:0", "broken.fa", "bad", 1.0)
    coordinator.record_file_completion("cpu:0", planned, 1, 1.0)
    totals = coordinator.get_totals()
    assert (totals["files_total"], totals["files_completed"], totals["files_failed"]) == (5, 3, 1)


def test_the_effect_of_stealing_is_known_without_a_call_of_start() -> None:
    """On its own, in another program's process, it has no bus on which to announce a start."""
    clock = ManualClock()
    coordinator = WorkStealingCoordinator(cpus(2), input_files([30, 20, 10]), policy="off", clock=clock)
    assert coordinator.get_effect()["makespan_seconds"] is None
    for device in ("cpu:0", "cpu:1"):
        take(coordinator, device)
    clock.advance(20)
    coordinator.record_file_completion("cpu:1", "f1.fa", 1, 20.0)
    clock.advance(10)
    coordinator.record_file_completion("cpu:0", "f0.fa", 1, 30.0)
    effect = coordinator.get_effect()
    assert (effect["makespan_seconds"], effect["makespan_expected_seconds"]) == pytest.approx((30.0, 40.0))
    assert effect["busy_seconds"] == pytest.approx({"cpu:0": 30.0, "cpu:1": 20.0})


def test_last_update_time_is_the_wall_clock_of_the_last_completion_or_failure() -> None:
    clock = ManualClock()
    coordinator = WorkStealingCoordinator(cpus(1), input_files([2, 1]), clock=clock)
    clock.advance(5)
    coordinator.record_file_completion("cpu:0", take(coordinator, "cpu:0").file.id, 1, 1.0)
    assert coordinator.get_gpu_metrics()[0]["last_update_time"] == clock.wall_ns() / NANOSECONDS
    clock.advance(5)
    coordinator.record_file_failure("cpu:0", take(coordinator, "cpu:0").file.id, "no", 1.0)
    recorded_ns = clock.wall_ns()
    clock.advance(5)
    assert coordinator.get_gpu_metrics()[0]["last_update_time"] == recorded_ns / NANOSECONDS


def test_a_completion_counts_from_the_times_that_it_is_recorded_with() -> None:
    clock = ManualClock()
    coordinator = WorkStealingCoordinator(cpus(1), input_files([1]), clock=clock)
    name = take(coordinator, "cpu:0").file.id
    wall_ns, mono_ns = clock.wall_ns(), clock.mono_ns()
    clock.advance(30)
    coordinator.record_file_completion("cpu:0", name, 100, 10.0, wall_ns=wall_ns, mono_ns=mono_ns)
    [row] = coordinator.get_gpu_metrics()
    assert row["last_update_time"] == wall_ns / NANOSECONDS
    assert row["throughput"] == pytest.approx(100 / 40)


# --- what goes out


def test_a_whole_run_is_published_without_the_events_of_the_workers() -> None:
    sink, clock = ListSink(), ManualClock()
    coordinator = WorkStealingCoordinator(
        cpus(2), input_files([4, 3, 2, 1]), policy="threshold", weights=[1e-9, 1.0], sink=sink, clock=clock
    )
    coordinator.start()
    clock.advance(1)
    stolen = take(coordinator, "cpu:0")
    coordinator.record_file_completion("cpu:0", stolen.file.id, 10, 1.0)
    coordinator.announce([coordinator.commit_event("cpu:0", stolen, results=2, size_bytes=99)])
    coordinator.publish_depths()
    failed = take(coordinator, "cpu:1")
    coordinator.record_file_failure("cpu:1", failed.file.id, "no", 1.0)
    for device, epoch in (("cpu:1", 1), ("cpu:0", 1)):
        assert take(coordinator, device).file.id == "f2.fa"
        lose(coordinator, device, epoch)
    take(coordinator, "cpu:1")
    coordinator.record_file_completion("cpu:1", "f3.fa", 5, 1.0)
    take(coordinator, "cpu:1")
    lose(coordinator, "cpu:1", 2)
    coordinator.finish(3)
    assert [type(event).__name__ for event in sink.events] == [
        "RunStarted",
        "FilesAssigned",
        "QueueDepths",
        "FileCommitted",
        "QueueDepths",
        "WorkerLost",
        "WorkerLost",
        "WorkerLost",
        "FileQuarantined",
        "QueueDepths",
        "RunFinished",
    ]
    assert sink.events[-1] == RunFinished(exit_code=3, files_completed=2, files_failed=2)


def test_what_is_announced_together_reaches_a_sink_together_that_takes_it_so() -> None:
    class Batches(ListSink):
        def __init__(self) -> None:
            super().__init__()
            self.sizes: list[int] = []

        def publish_all(self, events: Iterable[Fact]) -> None:
            before = len(self.events)
            self.events += events
            self.sizes.append(len(self.events) - before)

    sink, notices = Batches(), [Notice("a"), Notice("b"), Notice("c")]
    WorkStealingCoordinator(cpus(1), [], sink=sink).announce(notices)
    assert (sink.events, sink.sizes) == (notices, [3])


def test_the_plan_lists_every_file_once_under_its_device() -> None:
    sink = ListSink()
    files = input_files([number % 17 for number in range(1000)])
    WorkStealingCoordinator(cpus(3), files, sink=sink).start()
    parts = [event for event in sink.events if isinstance(event, FilesAssigned)]
    planned = [file for part in parts for file in part.files]
    expected = [PlannedFile(file.id, file.size_bytes, file.cost, own_folder=False) for file in files]
    assert sorted(planned, key=lambda file: file.file) == sorted(expected, key=lambda file: file.file)
    assert {part.device for part in parts} == {"cpu:0", "cpu:1", "cpu:2"}


def test_a_device_that_is_added_is_announced_and_steals() -> None:
    sink, clock = ListSink(), ManualClock()
    coordinator = WorkStealingCoordinator(cpus(1), input_files([3, 2, 1]), sink=sink, clock=clock)
    coordinator.start()
    published = len(sink.events)
    late = cpus(2)[1]
    assert coordinator.add_device(late) == 1
    clock.advance(1)
    coordinator.publish_depths()
    assert sink.events[published:] == [DeviceJoined(late), QueueDepths({"cpu:1": 0})]
    take(coordinator, "cpu:0")
    assert take(coordinator, "cpu:1").stolen_from == "cpu:0"


def test_depths_are_published_of_the_queues_that_have_changed_four_times_a_second_and_at_the_end() -> None:
    sink, clock = ListSink(), ManualClock()
    coordinator = WorkStealingCoordinator(cpus(2), input_files([3, 2, 1]), sink=sink, clock=clock)
    coordinator.start()
    assert sink.events[-1] == QueueDepths({"cpu:0": 1, "cpu:1": 2})
    published = len(sink.events)
    for device in ("cpu:1", "cpu:0"):
        take(coordinator, device)
        coordinator.publish_depths()
    assert len(sink.events) == published
    for _ in range(2):
        clock.advance(0.25)
        coordinator.publish_depths()
    assert sink.events[published:] == [QueueDepths({"cpu:0": 0, "cpu:1": 1})]
    coordinator.record_file_completion("cpu:1", "f1.fa", 10, 1.0)
    take(coordinator, "cpu:1")
    coordinator.finish(0)
    assert sink.events[published + 1] == QueueDepths({"cpu:1": 0})


def test_the_depths_of_very_many_devices_with_very_long_names_fit_into_frames() -> None:
    devices = [Device("語" * (NAME_CHARACTERS - 5) + f"{number:05}") for number in range(300)]
    sink = ListSink()
    WorkStealingCoordinator(devices, input_files([1]), sink=sink, clock=ManualClock()).publish_depths()
    header = {"run": "語" * NAME_CHARACTERS, "host": "語" * NAME_CHARACTERS, "source": "coordinator"}
    addressed = [make_envelope(event, **header, epoch=1, seq=1, wall_ns=0, mono_ns=0) for event in sink.events]
    assert len(addressed) > 1
    assert all(len(encode(each)) <= MAX_FRAME_BYTES for each in addressed)
    assert [key for each in addressed for key in each.event.depths] == [device.key for device in devices]


def test_a_file_that_a_thief_holds_ahead_counts_as_stolen_once_it_is_begun_and_not_if_it_is_taken_back() -> None:
    clock = ManualClock()
    coordinator = WorkStealingCoordinator(cpus(1), input_files([1] * 60), policy="cost", clock=clock)
    coordinator.add_device(cpus(2)[1])

    def end(held: Assignment) -> None:
        clock.advance(0.001)
        coordinator.record_file_completion("cpu:1", held.file.id, 1, 0.001)

    def stolen() -> list[str]:
        return [each["file_name"] for each in coordinator.get_recent_steal_events()]

    take(coordinator, "cpu:0")
    first = take(coordinator, "cpu:1")
    end(first)
    second = take(coordinator, "cpu:1")
    third, *others = coordinator.files_ahead("cpu:1")
    assert (third.stolen_from, third.stolen_at_ns) == ("cpu:0", clock.wall_ns())
    assert (stolen(), queue_depths(coordinator)) == ([first.file.id, second.file.id], [57, 0])
    end(second)
    assert (stolen()[2:], queue_depths(coordinator)) == ([third.file.id], [56, 0])
    for _ in others:
        coordinator.take_back("cpu:1")
    end(third)
    assert (stolen()[2:], queue_depths(coordinator)) == ([third.file.id], [56, 0])


def test_a_loss_names_the_stream_the_file_and_the_theft() -> None:
    sink = ListSink()
    clock = ManualClock()
    coordinator = WorkStealingCoordinator(
        cpus(2), input_files([3, 2, 1]), policy="threshold", weights=[1e-9, 1.0], sink=sink, clock=clock
    )
    take(coordinator, "cpu:0")
    coordinator.worker_lost("cpu:0", "worker-0", 4, "ended with exit status 1")
    assert sink.events == [
        WorkerLost("cpu:0", "worker-0", 4, "ended with exit status 1", "f0.fa", 1, "cpu:1", clock.wall_ns())
    ]


@pytest.mark.parametrize("job", ["shell:" + "x" * 9000, "shell:cat {input} > \udcff"])
def test_whatever_the_job_is_called_its_event_is_accepted(job: str) -> None:
    sink = ListSink()
    WorkStealingCoordinator(cpus(1), [], sink=sink, job=job).start()
    assert_accepted(sink.events[0])


def test_the_largest_events_fit_into_a_frame() -> None:
    sink = ListSink()
    files = [input_file(f"{number:04}" + "x" * 196, 10**15) for number in range(500)]
    weights = [1.0] + [1e-9] * (MAX_DEVICES - 1)
    WorkStealingCoordinator(cpus(MAX_DEVICES), files, weights=weights, sink=sink).start()
    assert isinstance(sink.events[0], RunStarted)
    for event in sink.events:
        assert_accepted(event)


def assert_accepted(event: Fact) -> None:
    envelope = make_envelope(event, run="r", host="h", source="s", epoch=1, seq=1, wall_ns=1, mono_ns=1)
    assert decode(encode(envelope)) == envelope


def test_of_a_run_that_is_resumed_it_knows_the_effect_though_not_what_was_done_before() -> None:
    coordinator = WorkStealingCoordinator(cpus(1), input_files([10, 10]), clock=ManualClock(), done_before=5)
    coordinator.next_file("cpu:0")
    coordinator.record_file_completion("cpu:0", "f0.fa", 1, 2.0)
    assert coordinator.get_effect()["lower_bound_seconds"] == pytest.approx(4.0)
