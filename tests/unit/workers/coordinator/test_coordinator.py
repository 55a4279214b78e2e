"""The coordinator alone: which device gets which file, and how files are settled."""

from __future__ import annotations

import socket
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.plans import coordinator_of, cpus, input_files, one_sided, queue_depths, take
from virnucpro_bus.clock import NANOSECONDS, ManualClock
from virnucpro_bus.errors import UserError
from virnucpro_bus.events.vocabulary import Device
from workers.coordinator.assignment import Assignment
from workers.coordinator.coordinator import WorkStealingCoordinator

# --- handing out


def test_a_device_gets_its_own_files_biggest_first() -> None:
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


def test_an_idle_device_steals_the_biggest_pending_file_of_the_longest_queue() -> None:
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


def test_without_retries_a_failed_file_is_settled_and_not_leased_again() -> None:
    coordinator = coordinator_of(1, [1])
    take(coordinator, "cpu:0")
    coordinator.record_file_failure("cpu:0", "f0.fa", "no header", 0.1)
    totals = coordinator.get_totals()
    assert (totals["files_completed"], totals["files_failed"], coordinator.unsettled) == (0, 1, 0)
    assert coordinator.next_file("cpu:0") is None


# --- threads


@pytest.fixture
def frequent_switches() -> Iterator[None]:
    """Threads take turns as often as they can, so that what is not locked goes wrong."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("frequent_switches")
def test_four_threads_lease_every_file_exactly_once() -> None:
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


def test_a_file_that_the_caller_has_chosen_is_leased_and_stolen_if_another_device_had_it() -> None:
    coordinator = WorkStealingCoordinator(cpus(2), input_files([3, 2, 1]), policy="dask", clock=ManualClock())
    assert not coordinator.decides
    assert coordinator.next_file("cpu:0") is None
    stolen = coordinator.lease_file("cpu:1", "/data/f0.fa", stolen_at_ns=7)
    assert stolen is not None
    assert (stolen.file.id, stolen.stolen_from, stolen.stolen_at_ns) == ("f0.fa", "cpu:0", 7)
    coordinator.record_file_completion("cpu:1", "f0.fa", 1, 1.0)
    own = coordinator.lease_file("cpu:1", "f2.fa")
    assert own is not None
    assert (own.file.id, own.stolen_from, own.stolen_at_ns) == ("f2.fa", None, 0)


def test_a_file_that_is_not_pending_is_not_leased() -> None:
    coordinator = WorkStealingCoordinator(cpus(2), input_files([3, 2]), clock=ManualClock())
    assert coordinator.lease_file("cpu:0", "other.fa") is None
    assert coordinator.lease_file("cpu:0", "f0.fa") is not None
    assert coordinator.lease_file("cpu:1", "f0.fa") is None
