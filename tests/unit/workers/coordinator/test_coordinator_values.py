"""Which values the coordinator accepts, and that a call that it refuses changes nothing."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from tests.support.plans import cpus, input_files, take
from virnucpro_bus.clock import ManualClock
from virnucpro_bus.events.vocabulary import Device
from virnucpro_bus.testing import ListSink
from workers.coordinator.assignment import Assignment
from workers.coordinator.coordinator import WorkStealingCoordinator

HELD = Assignment(input_files([1])[0], attempt=1)
NAN, INF = float("nan"), float("inf")
WRONG_COUNTS = [-1, 1.5, 2**70, True, "3", b"3", None, NAN, INF, [1]]
WRONG_SECONDS = [-0.1, NAN, INF, -INF, 2e12, True, "3", None, [1.0]]
WRONG_DEVICES = ["cpu:9", "", "7", 7, -1, 0.0, True, None, ["cpu:0"]]


class Whole:
    """A whole number of another library."""

    def __index__(self) -> int:
        return 7


def busy_coordinator() -> WorkStealingCoordinator:
    """One of two devices, whose first holds f0.fa."""
    coordinator = WorkStealingCoordinator(cpus(2), input_files([3, 2, 1]), sink=ListSink(), clock=ManualClock())
    take(coordinator, "cpu:0")
    return coordinator


def state_of(coordinator: WorkStealingCoordinator) -> tuple[object, ...]:
    totals = {name: value for name, value in coordinator.get_totals().items() if not name.startswith("events_")}
    figures = coordinator.get_gpu_metrics(), totals, coordinator.get_recent_steal_events()
    return *figures, coordinator.unsettled, coordinator.is_retired("cpu:0"), coordinator.get_effect()


def check_refused(coordinator: WorkStealingCoordinator, error: type[Exception], text: str, call: Any) -> None:
    """Check that `call` raises and leaves everything as it was."""
    before = state_of(coordinator)
    with pytest.raises(error, match=text):
        call()
    assert state_of(coordinator) == before


@pytest.mark.parametrize("sequences", WRONG_COUNTS, ids=repr)
def test_a_completion_with_a_number_of_sequences_that_is_not_a_count_is_refused(sequences: Any) -> None:
    coordinator = busy_coordinator()
    call = partial(coordinator.record_file_completion, "cpu:0", "f0.fa", sequences, 1.0)
    check_refused(coordinator, ValueError, "^sequences: must be a count from 0 to ", call)


@pytest.mark.parametrize("seconds", WRONG_SECONDS, ids=repr)
def test_a_completion_or_failure_with_a_duration_that_cannot_be_is_refused(seconds: Any) -> None:
    coordinator = busy_coordinator()
    for record, value in ((coordinator.record_file_completion, 1), (coordinator.record_file_failure, "bad")):
        call = partial(record, "cpu:0", "f0.fa", value, seconds)  # type: ignore[arg-type]
        check_refused(coordinator, ValueError, "^duration: must be from 0 to ", call)


@pytest.mark.parametrize("device", WRONG_DEVICES, ids=repr)
def test_what_names_no_device_is_refused_by_every_method(device: Any) -> None:
    coordinator = busy_coordinator()
    calls = [
        partial(coordinator.next_file, device),
        partial(coordinator.lease_file, device, "f1.fa"),
        partial(coordinator.record_file_completion, device, "f0.fa", 1, 1.0),
        partial(coordinator.record_file_failure, device, "f0.fa", "bad", 1.0),
        partial(coordinator.commit_event, device, HELD, 1, 1),
        partial(coordinator.worker_lost, device, "worker-0", 1, "killed"),
        partial(coordinator.retire, device),
        partial(coordinator.is_retired, device),
    ]
    for call in calls:
        check_refused(
            coordinator, KeyError, "gpu_id: .* is not a device of this coordinator, which has cpu:0", call
        )


@pytest.mark.parametrize(
    ("method", "arguments", "text"),
    [
        ("record_file_completion", {"sequences": 1, "duration": 1.0, "file_path": None}, "file: must be a path"),
        ("record_file_completion", {"sequences": 1, "duration": 1.0, "wall_ns": -1}, "wall_ns: must be a count"),
        ("record_file_failure", {"reason": "bad", "duration": 1.0, "file_path": 7}, "file: must be a path"),
        ("record_file_failure", {"reason": "bad", "duration": 1.0, "mono_ns": 0.5}, "mono_ns: must be a count"),
        ("commit_event", {"assignment": HELD, "results": -1, "size_bytes": 0}, "results: must be a count"),
        ("commit_event", {"assignment": HELD, "results": 1, "size_bytes": NAN}, "size_bytes: must be a count"),
        ("lease_file", {"file": "f1.fa", "stolen_at_ns": -1}, "stolen_at_ns: must be a count"),
        ("worker_lost", {"source": "worker-0", "epoch": -1, "reason": "killed"}, "epoch: must be a count"),
    ],
)
def test_every_other_value_that_cannot_be_right_is_refused_by_name(
    method: str, arguments: dict[str, Any], text: str
) -> None:
    coordinator = busy_coordinator()
    file = {"file_path": "f0.fa"} if method.startswith("record_file") else {}
    call = partial(getattr(coordinator, method), "cpu:0", **file | arguments)
    check_refused(coordinator, ValueError, f"^{text}", call)


@pytest.mark.parametrize(
    ("device", "weight", "text"),
    [
        (Device("cpu:1"), 1.0, "devices: two are called cpu:1"),
        (Device("GPU-a", index=-1), 1.0, "device: index: must be a count"),
        (Device("cpu:2"), 0.0, "weight: must be from"),
        (Device("cpu:2"), NAN, "weight: must be from"),
    ],
)
def test_a_device_that_cannot_be_added_is_refused(device: Device, weight: float, text: str) -> None:
    coordinator = busy_coordinator()
    check_refused(coordinator, ValueError, f"^{text}", partial(coordinator.add_device, device, weight))
    assert len(coordinator.devices) == 2


def test_an_exit_status_that_no_event_can_carry_is_refused() -> None:
    coordinator = busy_coordinator()
    check_refused(coordinator, ValueError, "^exit_code: must be a count", partial(coordinator.finish, -15))


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"weights": [1.0]}, "weights: must be one for each device: 2, not 1"),
        ({"weights": [1.0, 0.0]}, "weights: must be from"),
        ({"weights": [1.0, NAN]}, "weights: must be from"),
        ({"retries": -1}, "retries: must be a count"),
        ({"retries": 0.5}, "retries: must be a count"),
        ({"done_before": -1}, "done_before: must be a count"),
        ({"policy": "threshold", "steal_interval_seconds": NAN}, "steal_interval_seconds: must be from 0"),
        ({"devices": [Device("GPU-a", index=-1)]}, "devices: index: must be a count"),
        ({"devices": [Device("")]}, "devices: must be a device, its key, or"),
        ({"devices": [None]}, "devices: must be a device, its key, or"),
        ({"devices": []}, "devices: must be at least one"),
        ({"devices": cpus(1) * 2}, "devices: two are called cpu:0"),
        ({"devices": [Device("GPU-a", index=0), Device("GPU-b", index=0)]}, "devices: two are called 0"),
    ],
)
def test_a_coordinator_is_not_made_of_values_that_cannot_be_right(options: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=f"^{text}"):
        WorkStealingCoordinator(**{"devices": cpus(2), "files": input_files([1]), **options})


@pytest.mark.parametrize("sequences", [7, Whole(), 7.0], ids=["int", "of another library", "whole float"])
def test_a_whole_number_of_any_kind_is_a_count(sequences: Any) -> None:
    coordinator = busy_coordinator()
    coordinator.record_file_completion("cpu:0", "f0.fa", sequences, Whole())  # type: ignore[arg-type]
    total = coordinator.get_totals()["sequences"]
    assert (total, type(total)) == (7, int)


def test_a_gpu_is_known_by_the_digits_of_its_index_too() -> None:
    coordinator = WorkStealingCoordinator([Device("GPU-a", index=3)], input_files([1]))
    assert take(coordinator, "3").file.id == "f0.fa"


def test_the_reason_of_a_failure_may_be_the_exception() -> None:
    sink = ListSink()
    coordinator = WorkStealingCoordinator(cpus(1), input_files([1]), sink=sink)
    take(coordinator, "cpu:0")
    error = ValueError("unreadable")
    coordinator.record_file_failure("cpu:0", b"/data/f0.fa", error, 1.0)  # type: ignore[arg-type]
    assert coordinator.unsettled == 0
