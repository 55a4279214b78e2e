"""The coordinator against a plain model, over any order of taking, finishing, dying and retiring."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from plans import cpus, input_files

from virnucpro_bus.clock import ManualClock
from virnucpro_bus.events import FileQuarantined
from virnucpro_bus.testing import ListSink
from workers.coordinator import DEATHS_UNTIL_QUARANTINE, Assignment, WorkStealingCoordinator

MAX_DEVICES = 5
device_numbers = st.integers(0, MAX_DEVICES - 1)


class CoordinatorMachine(RuleBasedStateMachine):
    """The model knows which files wait, who holds what, and how each file ended; not who waits in which queue."""

    @initialize(
        devices=st.integers(1, MAX_DEVICES),
        costs=st.lists(st.integers(0, 9), max_size=30),
        weights=st.lists(st.sampled_from([0.1, 1.0, 3.0]), min_size=MAX_DEVICES, max_size=MAX_DEVICES),
        policy=st.sampled_from(["off", "threshold"]),
    )
    def begin(self, devices: int, costs: list[int], weights: list[float], policy: str) -> None:
        self.sink = ListSink()
        self.keys = [device.key for device in cpus(devices)]
        files = input_files(costs)
        self.coordinator = WorkStealingCoordinator(
            cpus(devices), files, policy=policy, weights=weights[:devices], sink=self.sink, clock=ManualClock()
        )
        self.policy = policy
        self.files = {file.id for file in files}
        self.waiting = set(self.files)
        self.held: dict[int, Assignment] = {}
        self.completed: set[str] = set()
        self.failed: set[str] = set()
        self.quarantined: set[str] = set()
        self.attempts: Counter[str] = Counter()
        self.deaths: Counter[str] = Counter()
        self.retired: set[int] = set()

    def depths(self) -> list[int]:
        depth = {row["device_id"]: row["queue_depth"] for row in self.coordinator.get_gpu_metrics()}
        return [depth[key] or 0 for key in self.keys]

    def take_by(self, device: int) -> Assignment | None:
        """Take, and hold what was given against the model."""
        depths = self.depths()
        assignment = self.coordinator.next_file(self.keys[device])
        longest = max(depths)
        if device in self.retired:
            expected_from = None
        elif depths[device] > 0:
            expected_from = device
        else:
            expected_from = depths.index(longest) if self.policy == "threshold" and longest >= 3 else None
        if expected_from is None:
            assert assignment is None
            return None
        assert assignment is not None
        assert assignment.stolen_from == (None if expected_from == device else self.keys[expected_from])
        depths[expected_from] -= 1
        assert self.depths() == depths
        name = assignment.file.id
        assert name in self.waiting, "leased though it was held or settled"
        self.waiting.remove(name)
        self.attempts[name] += 1
        assert assignment.attempt == self.attempts[name]
        self.held[device] = assignment
        return assignment

    def complete_by(self, device: int) -> None:
        file = self.held.pop(device).file
        self.coordinator.record_file_completion(self.keys[device], file.id, 1, 0.0)
        self.completed.add(file.id)

    @rule(device=device_numbers)
    def take(self, device: int) -> None:
        device %= len(self.keys)
        if device in self.held:
            with pytest.raises(RuntimeError):
                self.coordinator.next_file(self.keys[device])
        else:
            self.take_by(device)

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def complete(self, data: st.DataObject) -> None:
        self.complete_by(data.draw(st.sampled_from(sorted(self.held))))

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def fail(self, data: st.DataObject) -> None:
        device = data.draw(st.sampled_from(sorted(self.held)))
        file = self.held.pop(device).file
        self.coordinator.record_file_failure(self.keys[device], file.path, "no", 0.0)
        self.failed.add(file.id)

    @rule(device=device_numbers)
    def die(self, device: int) -> None:
        device %= len(self.keys)
        held = self.held.pop(device, None)
        assert self.coordinator.worker_lost(self.keys[device], "worker", 1, "was killed") == held
        if held is None:
            return
        name = held.file.id
        self.deaths[name] += 1
        if self.deaths[name] >= DEATHS_UNTIL_QUARANTINE or len(self.retired) == len(self.keys):
            self.quarantined.add(name)
        else:
            self.waiting.add(name)

    # Seldom, or most runs would end here.
    @precondition(lambda self: sum(self.attempts.values()) > 4 * len(self.retired))
    @rule(device=device_numbers)
    def retire(self, device: int) -> None:
        device %= len(self.keys)
        self.coordinator.retire(self.keys[device])
        self.retired.add(device)
        if len(self.retired) == len(self.keys):
            self.quarantined |= self.waiting
            self.waiting.clear()

    @invariant()
    def every_file_waits_is_held_or_is_settled(self) -> None:
        settled = self.completed | self.failed | self.quarantined
        assert self.coordinator.unsettled == len(self.files) - len(settled)
        assert sum(self.depths()) == len(self.waiting)
        assert len(self.waiting) + len(self.held) + len(settled) == len(self.files)

    @invariant()
    def the_account_agrees(self) -> None:
        totals = self.coordinator.get_totals()
        assert totals["files_completed"] == len(self.completed)
        assert totals["files_failed"] == len(self.failed) + len(self.quarantined)
        told = [event for event in self.sink.events if isinstance(event, FileQuarantined)]
        assert sorted((event.file, event.attempts) for event in told) == sorted(
            (name, self.attempts[name]) for name in self.quarantined
        )

    def teardown(self) -> None:
        """Whatever has happened, the devices that are left finish the run."""
        if not hasattr(self, "coordinator"):
            return
        for device in sorted(self.held):
            self.complete_by(device)
        for device in range(len(self.keys)):
            while self.take_by(device) is not None:
                self.complete_by(device)
        assert self.coordinator.unsettled == 0
        ends = [*self.completed, *self.failed, *self.quarantined]
        assert sorted(ends) == sorted(self.files)


def test_no_file_is_lost_or_leased_twice_or_settled_twice() -> None:
    run_state_machine_as_test(CoordinatorMachine, settings=settings(max_examples=300, stateful_step_count=40))


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_no_file_is_lost_or_leased_twice_or_settled_twice_in_a_long_search() -> None:
    run_state_machine_as_test(CoordinatorMachine, settings=settings(max_examples=5_000, stateful_step_count=100))
