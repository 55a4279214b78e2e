"""The coordinator alone: who is given which file, and how files are settled."""

from __future__ import annotations

import socket
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from plans import coordinator_of, cpus, input_files, lose, one_sided, queue_depths, take

from virnucpro_bus.clock import NANOSECONDS, ManualClock
from virnucpro_bus.errors import UserError
from virnucpro_bus.events import Device, FileQuarantined
from virnucpro_bus.testing import ListSink
from workers.blame import Loss
from workers.coordinator import Assignment, WorkStealingCoordinator

# --- handing out


def test_a_device_is_given_its_own_files_biggest_first() -> None:
    coordinator = coordinator_of(1, [1, 9, 4])
    given = []
    while (assignment := coordinator.next_file("cpu:0")) is not None:
        given.append(assignment.file.cost)
        coordinator.record_file_completion("cpu:0", assignment.file.id, 1, 1.0)
    assert given == [9, 4, 1]


def test_the_first_attempt_of_an_own_file_is_number_one_and_not_stolen() -> None:
    [file] = input_files([5])
    coordinator = WorkStealingCoordinator(cpus(1), [file])
    assert coordinator.next_file("cpu:0") == Assignment(file, attempt=1, stolen_from=None, stolen_at_ns=0)


def test_a_device_that_holds_a_file_is_refused_another() -> None:
    coordinator = coordinator_of(1, [2, 1])
    take(coordinator, "cpu:0")
    with pytest.raises(RuntimeError, match=r"cpu:0 still holds f0\.fa"):
        coordinator.next_file("cpu:0")


def test_a_gpu_is_known_by_its_uuid_and_by_its_index() -> None:
    coordinator = WorkStealingCoordinator([Device("GPU-a", "NVIDIA A100", 3)], input_files([2, 1]))
    first = take(coordinator, 3)
    coordinator.record_file_completion("GPU-a", first.file.id, 1, 1.0)
    assert coordinator.unsettled == 1


@pytest.mark.parametrize("unknown", ["cpu:7", "0", 0])
def test_an_unknown_gpu_is_a_key_error(unknown: int | str) -> None:
    coordinator = coordinator_of(1, [1])
    with pytest.raises(KeyError):
        coordinator.next_file(unknown)
    with pytest.raises(KeyError):
        coordinator.record_file_completion(unknown, "f0.fa", 1, 1.0)


def test_an_unknown_policy_is_a_user_error() -> None:
    with pytest.raises(UserError, match="unknown policy"):
        coordinator_of(1, [], policy="greedy")


# --- stealing


def test_policy_off_never_steals() -> None:
    assert one_sided(9, policy="off").next_file("cpu:0") is None


def test_an_idle_device_takes_the_biggest_waiting_file_of_the_longest_queue() -> None:
    files = input_files([50, 40, 30, 20, 10, 9, 8])
    clock = ManualClock()
    coordinator = WorkStealingCoordinator(
        cpus(3), files, policy="threshold", weights=[1e-9, 1.0, 3.0], clock=clock
    )
    depths = queue_depths(coordinator)
    assert depths == [0, 2, 5]
    coordinator.start()
    take(coordinator, "cpu:2")
    stolen = take(coordinator, "cpu:0")
    assert (stolen.file.cost, stolen.stolen_from, stolen.stolen_at_ns) == (40, "cpu:2", clock.wall_ns())


def test_a_queue_of_two_is_left_alone() -> None:
    coordinator = one_sided(3)
    take(coordinator, "cpu:1")
    assert coordinator.next_file("cpu:0") is None


def test_a_steal_is_listed_with_both_device_ids() -> None:
    clock = ManualClock()
    gpus = [Device("GPU-a", "NVIDIA A100", 0), Device("GPU-b", "NVIDIA A100", 1)]
    coordinator = WorkStealingCoordinator(
        gpus, input_files([3, 2, 1]), policy="threshold", weights=[1e-9, 1.0], clock=clock
    )
    coordinator.start()
    take(coordinator, 0)
    assert coordinator.get_recent_steal_events() == [
        {
            "timestamp": clock.wall_ns() / NANOSECONDS,
            "source_gpu": 1,
            "dest_gpu": 0,
            "file_name": "f0.fa",
            "host": socket.gethostname(),
        }
    ]
    assert [(row["work_stolen_from"], row["work_stolen_to"]) for row in coordinator.get_gpu_metrics()] == [
        (0, 1),
        (1, 0),
    ]


def test_the_last_fifty_steals_are_kept() -> None:
    clock = ManualClock()
    coordinator = one_sided(60, clock=clock)
    for _ in range(55):
        clock.advance(1)
        coordinator.record_file_completion("cpu:0", take(coordinator, "cpu:0").file.id, 1, 1.0)
    names = [steal["file_name"] for steal in coordinator.get_recent_steal_events()]
    assert names == [f"f{number}.fa" for number in range(5, 55)]


# --- settling


@pytest.mark.parametrize("name", ["f0.fa", "/data/f0.fa", Path("/data/f0.fa")])
def test_a_completion_by_id_or_path_ends_the_lease(name: str | Path) -> None:
    coordinator = coordinator_of(1, [2, 1])
    take(coordinator, "cpu:0")
    coordinator.record_file_completion("cpu:0", name, 250, 2.5)
    assert coordinator.unsettled == 1
    assert take(coordinator, "cpu:0").file.id == "f1.fa"


def test_a_completion_of_another_file_is_counted_and_leaves_the_lease() -> None:
    coordinator = coordinator_of(1, [2, 1])
    take(coordinator, "cpu:0")
    coordinator.record_file_completion("cpu:0", "/elsewhere/other.fa", 7, 1.0)
    assert (coordinator.unsettled, coordinator.get_totals()["sequences"]) == (2, 7)
    with pytest.raises(RuntimeError):
        coordinator.next_file("cpu:0")


def test_without_retries_a_failed_file_is_settled_and_not_handed_out_again() -> None:
    coordinator = coordinator_of(1, [1])
    take(coordinator, "cpu:0")
    coordinator.record_file_failure("cpu:0", "f0.fa", "no header", 0.1)
    totals = coordinator.get_totals()
    assert (totals["files_completed"], totals["files_failed"], coordinator.unsettled) == (0, 1, 0)
    assert coordinator.next_file("cpu:0") is None


# --- attempts


def retrying(devices: int, costs: list[int], retries: int) -> WorkStealingCoordinator:
    return WorkStealingCoordinator(
        cpus(devices), input_files(costs), policy="off", retries=retries, clock=ManualClock()
    )


def fail(coordinator: WorkStealingCoordinator, device: str, *, for_good: bool = False) -> Assignment:
    held = take(coordinator, device)
    coordinator.record_file_failure(device, held.file.id, "CUDA out of memory", 1.0, for_good=for_good)
    return held


def test_a_file_has_failed_when_its_attempts_are_used_up_and_counts_once() -> None:
    coordinator = retrying(1, [1], retries=2)
    tried = [fail(coordinator, "cpu:0") for _ in range(3)]
    assert [(held.attempt, held.is_last) for held in tried] == [(1, False), (2, False), (3, True)]
    assert (coordinator.unsettled, coordinator.get_totals()["files_failed"]) == (0, 1)
    assert coordinator.next_file("cpu:0") is None


def test_a_file_that_failed_goes_to_another_device_first() -> None:
    coordinator = retrying(2, [9, 8, 2, 1], retries=3)
    assert fail(coordinator, "cpu:0").file.id == "f0.fa"
    assert fail(coordinator, "cpu:1").file.id == "f0.fa"
    given = [take(coordinator, device).file.id for device in ("cpu:0", "cpu:1")]
    assert given == ["f3.fa", "f1.fa"]


def test_a_file_waits_for_a_device_that_has_not_tried_it_even_if_that_is_busy() -> None:
    coordinator = retrying(2, [9, 8], retries=1)
    take(coordinator, "cpu:1")
    fail(coordinator, "cpu:0")
    assert coordinator.next_file("cpu:0") is None
    coordinator.record_file_completion("cpu:1", "f1.fa", 1, 1.0)
    assert take(coordinator, "cpu:1") == Assignment(input_files([9])[0], attempt=2, is_last=True)


def test_a_failure_that_no_attempt_can_mend_is_the_last() -> None:
    coordinator = retrying(1, [1], retries=2)
    assert not fail(coordinator, "cpu:0", for_good=True).is_last
    assert (coordinator.unsettled, coordinator.get_totals()["files_failed"]) == (0, 1)


def test_a_file_that_failed_and_has_no_device_left_is_given_up_and_counts_once() -> None:
    coordinator = retrying(1, [1], retries=2)
    held = take(coordinator, "cpu:0")
    coordinator.retire("cpu:0")
    coordinator.record_file_failure("cpu:0", held.file.id, "no", 1.0)
    assert (coordinator.unsettled, coordinator.get_totals()["files_failed"]) == (0, 1)


def test_a_file_that_takes_too_long_uses_up_its_attempts_and_blames_no_device() -> None:
    coordinator = retrying(2, [5, 4, 3, 2, 1], retries=0)
    for epoch in range(3):
        take(coordinator, "cpu:0")
        lose(coordinator, "cpu:0", epoch, Loss.TIMED_OUT)
        assert not coordinator.is_retired("cpu:0")
    assert (coordinator.unsettled, coordinator.get_totals()["files_failed"]) == (2, 3)


def test_a_worker_that_was_stopped_with_the_run_blames_nobody() -> None:
    coordinator = coordinator_of(1, [3, 2, 1])
    for epoch in range(9):
        take(coordinator, "cpu:0")
        lose(coordinator, "cpu:0", epoch, Loss.STOPPED)
    assert (coordinator.unsettled, coordinator.is_retired("cpu:0")) == (3, False)


# --- deaths


def test_what_a_dead_worker_held_is_tried_again_after_the_files_that_are_not_suspect() -> None:
    coordinator = coordinator_of(1, [9, 5])
    held = take(coordinator, "cpu:0")
    assert lose(coordinator, "cpu:0") == held
    coordinator.record_file_completion("cpu:0", take(coordinator, "cpu:0").file.id, 1, 1.0)
    again = take(coordinator, "cpu:0")
    assert (again.file, again.attempt) == (held.file, 2)


def test_what_a_dead_worker_held_is_taken_over_by_another_device_before_its_own_smaller_files() -> None:
    coordinator = coordinator_of(2, [9, 5, 1])
    held = take(coordinator, "cpu:0")
    lose(coordinator, "cpu:0")
    again = take(coordinator, "cpu:1")
    assert (again.file, again.attempt, again.stolen_from) == (held.file, 2, None)


def test_a_worker_that_dies_with_nothing_in_hand_costs_nothing() -> None:
    coordinator = coordinator_of(1, [1])
    assert lose(coordinator, "cpu:0") is None
    assert (coordinator.unsettled, take(coordinator, "cpu:0").attempt) == (1, 1)


def test_a_file_that_has_killed_three_workers_is_quarantined() -> None:
    coordinator = coordinator_of(2, [9, 1])
    for device in ("cpu:0", "cpu:1", "cpu:0"):
        assert take(coordinator, device).file.id == "f0.fa"
        lose(coordinator, device)
    assert take(coordinator, "cpu:1").file.id == "f1.fa"
    assert (coordinator.unsettled, coordinator.get_totals()["files_failed"]) == (1, 1)
    assert not any(coordinator.is_retired(device) for device in ("cpu:0", "cpu:1"))


def test_a_device_on_which_three_different_files_die_is_retired_and_no_file_is_blamed() -> None:
    coordinator = coordinator_of(2, [6, 5, 4, 3, 2, 1])
    for _ in range(3):
        assert not coordinator.is_retired("cpu:0")
        take(coordinator, "cpu:0")
        lose(coordinator, "cpu:0")
    assert (coordinator.is_retired("cpu:0"), coordinator.next_file("cpu:0")) == (True, None)
    while (held := coordinator.next_file("cpu:1")) is not None:
        coordinator.record_file_completion("cpu:1", held.file.id, 1, 1.0)
    assert (coordinator.unsettled, coordinator.get_totals()["files_failed"]) == (0, 0)


def test_a_single_bad_device_is_retired_before_it_condemns_a_file() -> None:
    sink = ListSink()
    coordinator = WorkStealingCoordinator(cpus(1), input_files([4, 3, 2, 1]), sink=sink)
    for epoch in range(3):
        take(coordinator, "cpu:0")
        lose(coordinator, "cpu:0", epoch)
    reasons = {event.reason for event in sink.events if isinstance(event, FileQuarantined)}
    assert reasons == {"no device is left to work on it"}
    assert (coordinator.unsettled, coordinator.get_totals()["files_failed"]) == (0, 4)


def test_files_that_die_wherever_they_are_tried_retire_no_device() -> None:
    coordinator = coordinator_of(3, [3, 2, 1])
    while coordinator.unsettled:
        held = [device for device in ("cpu:0", "cpu:1", "cpu:2") if coordinator.next_file(device) is not None]
        for device in held:
            lose(coordinator, device)
    assert coordinator.get_totals()["files_failed"] == 3
    assert not any(coordinator.is_retired(f"cpu:{device}") for device in range(3))


def test_a_lost_device_is_shown_as_lost_until_its_next_worker_begins() -> None:
    coordinator = coordinator_of(1, [1])

    def shown() -> tuple[str, str | None]:
        [row] = coordinator.get_gpu_metrics()
        return row["state"], row["current_file"]

    take(coordinator, "cpu:0")
    assert shown() == ("busy", "f0.fa")
    lose(coordinator, "cpu:0")
    assert shown() == ("lost", None)
    take(coordinator, "cpu:0")
    assert shown() == ("busy", "f0.fa")


def test_a_steal_counts_once_though_the_thief_died_of_it() -> None:
    coordinator = one_sided(4)
    take(coordinator, "cpu:0")
    lose(coordinator, "cpu:0")
    rows = coordinator.get_gpu_metrics()
    assert [(row["work_stolen_from"], row["work_stolen_to"]) for row in rows] == [(0, 1), (1, 0)]
    assert len(coordinator.get_recent_steal_events()) == 1


def test_a_retired_device_leaves_its_files_to_the_others() -> None:
    coordinator = coordinator_of(3, [6, 5, 4, 3, 2, 1])
    coordinator.retire("cpu:0")
    assert queue_depths(coordinator) == [0, 3, 3]
    assert coordinator.unsettled == 6


def test_a_retired_device_is_given_nothing_more() -> None:
    coordinator = one_sided(9)
    coordinator.retire("cpu:0")
    assert coordinator.next_file("cpu:0") is None


def test_files_have_failed_when_the_last_device_retires() -> None:
    coordinator = coordinator_of(2, [3, 2, 1])
    coordinator.retire("cpu:0")
    coordinator.retire("cpu:1")
    assert (coordinator.unsettled, coordinator.get_totals()["files_failed"]) == (0, 3)


def test_a_file_in_hand_has_failed_when_its_worker_dies_after_the_last_device_retired() -> None:
    coordinator = coordinator_of(1, [1])
    take(coordinator, "cpu:0")
    coordinator.retire("cpu:0")
    assert coordinator.unsettled == 1
    lose(coordinator, "cpu:0")
    assert (coordinator.unsettled, coordinator.get_totals()["files_failed"]) == (0, 1)


# --- threads


@pytest.fixture
def frequent_switches() -> Iterator[None]:
    """Threads take turns as often as they can, so that what is not locked goes wrong."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("frequent_switches")
def test_four_threads_are_handed_every_file_exactly_once() -> None:
    total = 2000
    coordinator = WorkStealingCoordinator(
        cpus(4), input_files([1] * total), policy="threshold", weights=[1.0, 1.0, 1.0, 50.0]
    )
    given: list[list[str]] = [[] for _ in range(4)]

    def work(device: int) -> None:
        key = f"cpu:{device}"
        while (assignment := coordinator.next_file(key)) is not None:
            given[device].append(assignment.file.id)
            coordinator.record_file_completion(key, assignment.file.path, 1, 0.0)

    threads = [threading.Thread(target=work, args=(device,)) for device in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        while thread.is_alive():
            coordinator.get_gpu_metrics()
            thread.join(0.01)
    counts = Counter(name for names in given for name in names)
    assert (len(counts), set(counts.values())) == (total, {1})
    assert [row["files_completed"] for row in coordinator.get_gpu_metrics()] == [len(names) for names in given]
    assert (coordinator.unsettled, coordinator.get_totals()["files_completed"]) == (0, total)
