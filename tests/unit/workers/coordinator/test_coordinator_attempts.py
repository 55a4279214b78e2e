"""Attempts that fail and workers that die: what happens to the file, and to the device."""

from __future__ import annotations

import pytest

from tests.support.plans import coordinator_of, cpus, input_files, lose, one_sided, queue_depths, take
from virnucpro_bus.clock import ManualClock
from virnucpro_bus.events.vocabulary import FileQuarantined
from virnucpro_bus.testing import ListSink
from workers.coordinator.assignment import Assignment
from workers.coordinator.coordinator import WorkStealingCoordinator
from workers.schedule.blame import Loss


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


def test_a_file_is_pending_for_a_device_that_has_not_tried_it_even_if_that_is_busy() -> None:
    coordinator = retrying(2, [9, 8], retries=1)
    take(coordinator, "cpu:1")
    fail(coordinator, "cpu:0")
    assert coordinator.next_file("cpu:0") is None
    coordinator.record_file_completion("cpu:1", "f1.fa", 1, 1.0)
    assert take(coordinator, "cpu:1") == Assignment(input_files([9])[0], attempt=2, is_last=True)


def test_a_file_that_had_failed_for_good_and_is_reopened_counts_as_pending_and_is_tried_again() -> None:
    coordinator = retrying(1, [9, 8], retries=0)
    fail(coordinator, "cpu:0")
    coordinator.reopen("cpu:0", "f0.fa", "every file fails so")
    assert (coordinator.unsettled, coordinator.get_totals()["files_failed"]) == (2, 0)
    coordinator.record_file_completion("cpu:0", take(coordinator, "cpu:0").file.id, 1, 1.0)
    again = take(coordinator, "cpu:0")
    assert (again.file.id, again.attempt) == ("f0.fa", 2)
    with pytest.raises(KeyError):
        coordinator.reopen("cpu:0", "other.fa", "every file fails so")


def test_the_shortest_file_of_a_devices_own_queue_is_leased_before_longer_ones() -> None:
    coordinator = retrying(2, [9, 8, 2, 1], retries=0)
    shortest = coordinator.shortest_file("cpu:0")
    assert shortest is not None
    assert (shortest.file.id, shortest.stolen_from) == ("f3.fa", None)
    coordinator.record_file_completion("cpu:0", "f3.fa", 1, 1.0)
    assert take(coordinator, "cpu:0").file.id == "f0.fa"
    coordinator.record_file_completion("cpu:0", "f0.fa", 1, 1.0)
    assert (coordinator.shortest_file("cpu:0"), coordinator.has_queued) == (None, True)


def test_a_file_that_every_device_has_tried_is_next_tried_by_one_that_joins() -> None:
    coordinator = retrying(1, [1], retries=3)
    fail(coordinator, "cpu:0")
    coordinator.add_device(cpus(2)[1])
    assert coordinator.next_file("cpu:0") is None
    fail(coordinator, "cpu:1")
    assert take(coordinator, "cpu:0").attempt == 3


def test_a_failure_that_no_attempt_can_mend_is_the_last() -> None:
    coordinator = retrying(1, [1], retries=2)
    assert not fail(coordinator, "cpu:0", for_good=True).is_last
    assert (coordinator.unsettled, coordinator.get_totals()["files_failed"]) == (0, 1)


def test_a_failure_that_is_not_charged_leaves_the_file_pending_with_all_its_attempts() -> None:
    coordinator = retrying(1, [1], retries=0)
    for attempt in (1, 2, 3):
        held = take(coordinator, "cpu:0")
        assert (held.attempt, held.is_last) == (attempt, True)
        coordinator.record_file_failure("cpu:0", held.file.id, "the disk is full", 1.0, charged=False)
    assert (coordinator.unsettled, coordinator.get_totals()["files_failed"]) == (1, 0)


def test_a_file_that_failed_and_has_no_device_left_is_quarantined_and_counts_once() -> None:
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


def test_a_worker_that_was_stopped_with_the_run_is_not_blamed_on_file_or_device() -> None:
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


def test_a_worker_that_dies_without_a_lease_costs_nothing() -> None:
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


def test_a_device_on_which_workers_are_killed_from_outside_is_not_to_blame() -> None:
    coordinator = coordinator_of(2, [8, 7, 6, 5, 4, 3, 2, 1])
    for loss in (Loss.DIED, Loss.KILLED, Loss.KILLED, Loss.DIED):
        take(coordinator, "cpu:0")
        lose(coordinator, "cpu:0", loss=loss)
    assert not coordinator.is_retired("cpu:0")


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


def test_a_retired_device_gets_no_more_files() -> None:
    coordinator = one_sided(9)
    coordinator.retire("cpu:0")
    assert coordinator.next_file("cpu:0") is None


def test_files_have_failed_when_the_last_device_retires() -> None:
    coordinator = coordinator_of(2, [3, 2, 1])
    coordinator.retire("cpu:0")
    coordinator.retire("cpu:1")
    assert (coordinator.unsettled, coordinator.get_totals()["files_failed"]) == (0, 3)


def test_a_leased_file_has_failed_when_its_worker_dies_after_the_last_device_retired() -> None:
    coordinator = coordinator_of(1, [1])
    take(coordinator, "cpu:0")
    coordinator.retire("cpu:0")
    assert coordinator.unsettled == 1
    lose(coordinator, "cpu:0")
    assert (coordinator.unsettled, coordinator.get_totals()["files_failed"]) == (0, 1)
