"""The coordinator against a plain model, over any order of taking, ending, dying, retiring and joining."""

from __future__ import annotations

from collections import Counter, defaultdict

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

from tests.support.plans import cpus, input_files
from virnucpro_bus.clock import ManualClock
from virnucpro_bus.events.vocabulary import FileQuarantined
from virnucpro_bus.testing import ListSink
from workers.coordinator.assignment import Assignment
from workers.coordinator.coordinator import WorkStealingCoordinator
from workers.schedule.blame import Loss
from workers.schedule.policy_registry import DASK_POLICY, POLICIES

MAX_DEVICES = 4
MAX_JOINED = 2
device_numbers = st.integers(0, MAX_DEVICES + MAX_JOINED - 1)


class CoordinatorMachine(RuleBasedStateMachine):
    """The model knows which files are pending, which device holds what, and how each file ended; not queues."""

    @initialize(
        devices=st.integers(1, MAX_DEVICES),
        costs=st.lists(st.integers(0, 9), max_size=9) | st.lists(st.integers(0, 9), min_size=12, max_size=30),
        weights=st.lists(st.sampled_from([0.1, 1.0, 3.0]), min_size=MAX_DEVICES, max_size=MAX_DEVICES),
        policy=st.sampled_from([*POLICIES, DASK_POLICY]),
        seconds=st.lists(st.sampled_from([0.0, 0.01, 1.0, 30.0]), min_size=MAX_DEVICES, max_size=MAX_DEVICES),
        retries=st.integers(0, 3),
    )
    def begin(
        self,
        devices: int,
        costs: list[int],
        weights: list[float],
        policy: str,
        seconds: list[float],
        retries: int,
    ) -> None:
        self.sink = ListSink()
        self.clock = ManualClock()
        self.seconds = seconds
        self.joined = 0
        self.keys = [device.key for device in cpus(devices)]
        self.devices = set(range(devices))
        files = input_files(costs)
        self.coordinator = WorkStealingCoordinator(
            cpus(devices),
            files,
            policy=policy,
            weights=weights[:devices],
            retries=retries,
            sink=self.sink,
            clock=self.clock,
        )
        self.policy, self.retries = policy, retries
        self.rank = {file.id: at for at, file in enumerate(sorted(files, key=lambda file: -file.cost))}
        self.fresh = set(self.rank)
        self.again: set[str] = set()
        self.tried_on: dict[str, set[int]] = defaultdict(set)
        self.held: dict[int, Assignment] = {}
        self.ahead: dict[int, list[Assignment]] = defaultdict(list)
        self.completed: set[str] = set()
        self.failed: set[str] = set()
        self.given_up: set[str] = set()
        self.attempts: Counter[str] = Counter()
        self.failures: Counter[str] = Counter()
        self.died_on: dict[str, list[int]] = defaultdict(list)
        self.suspected: dict[int, set[str]] = defaultdict(set)
        self.retired: set[int] = set()

    # What the coordinator is expected to do.

    @property
    def open(self) -> set[int]:
        return self.devices - self.retired

    def depths(self) -> list[int]:
        depth = {row["device_id"]: row["queue_depth"] for row in self.coordinator.get_gpu_metrics()}
        return [depth[key] or 0 for key in self.keys]

    def held_out_of(self, device: int) -> int:
        """How many files out of the device's queue are held ahead, by that device or another."""
        return sum(
            (each.stolen_from or self.keys[at]) == self.keys[device]
            for at, ahead in self.ahead.items()
            for each in ahead
        )

    def biggest(self, names: set[str]) -> str | None:
        return min(names, key=self.rank.__getitem__, default=None)

    def take_by(self, device: int) -> Assignment | None:
        """Take, and hold what was given against the model."""
        depths = self.depths()
        free_depths = [depth - self.held_out_of(at) for at, depth in enumerate(depths)]
        longest = max(free_depths)
        new_to_it = self.biggest({name for name in self.again if device not in self.tried_on[name]})
        tried_by_all = self.biggest({name for name in self.again if self.open <= self.tried_on[name]})
        given = self.coordinator.next_file(self.keys[device])
        stolen_from = None
        if device in self.retired or not self.coordinator.decides:
            assert given is None
        elif free_depths[device]:
            assert given is not None
            # Its own next one is not known here, but it is no smaller than what the others have failed at; except
            # where it leaves that one to a faster device.
            assert given.file.id in self.free | {new_to_it}
            if self.policy != "cost":
                assert new_to_it is None or self.rank[given.file.id] <= self.rank[new_to_it]
        elif new_to_it is not None:
            assert given is not None
            assert given.file.id == new_to_it
        elif self.policy == "threshold" and longest >= 3:
            assert given is not None
            stolen_from = free_depths.index(longest)
        elif self.policy == "cost" and given is not None and given.stolen_from is not None:
            # Which file of whose queue is the policy's own affair.
            stolen_from = self.keys.index(given.stolen_from)
            assert stolen_from != device
            assert free_depths[stolen_from]
            assert given.file.id in self.free
        else:
            assert (None if given is None else given.file.id) == tried_by_all
        if given is None:
            return None
        name = given.file.id
        assert name in self.free | self.again, "leased though it was held or settled"
        assert given.stolen_from == (None if stolen_from is None else self.keys[stolen_from])
        if name in self.fresh:
            depths[device if stolen_from is None else stolen_from] -= 1
        assert self.depths() == depths
        self.hold(device, given)
        return given

    def take_named(self, device: int, name: str) -> None:
        """Take a file that the caller has chosen, and hold what was given against the model."""
        before = self.depths()
        given = self.coordinator.lease_file(self.keys[device], name)
        if device in self.retired or name not in self.free | self.again:
            assert given is None
            assert self.depths() == before
            return
        assert given is not None
        assert given.file.id == name
        owners = [at for at, depth in enumerate(self.depths()) if depth < before[at]]
        assert len(owners) == (name in self.fresh)
        assert given.stolen_from == (self.keys[owners[0]] if owners and owners != [device] else None)
        self.hold(device, given)

    @property
    def free(self) -> set[str]:
        """The fresh files that no device holds."""
        return self.fresh - {each.file.id for ahead in self.ahead.values() for each in ahead}

    def end(self, device: int) -> Assignment:
        """End what the device works on; it begins the next file that it holds."""
        ended = self.held.pop(device)
        if self.ahead[device]:
            self.hold(device, self.ahead[device].pop(0))
        return ended

    def hold(self, device: int, given: Assignment) -> None:
        name = given.file.id
        self.fresh.discard(name)
        self.again.discard(name)
        self.attempts[name] += 1
        assert (given.attempt, given.is_last) == (self.attempts[name], self.failures[name] >= self.retries)
        self.held[device] = given

    def wait_again(self, name: str, device: int) -> None:
        if not self.open:
            self.given_up.add(name)
            return
        self.tried_on[name].add(device)
        self.again.add(name)

    def retired_one(self, device: int) -> None:
        self.retired.add(device)
        if not self.open:
            self.given_up |= self.free | self.again
            self.fresh -= self.free
            self.again.clear()

    def complete_by(self, device: int) -> None:
        file = self.end(device).file
        seconds = self.seconds[device % MAX_DEVICES] * max(file.cost, 1)
        self.clock.advance(seconds)
        self.coordinator.record_file_completion(self.keys[device], file.id, 1, seconds)
        self.suspected[device].clear()
        self.completed.add(file.id)

    # What happens.

    @rule(device=device_numbers)
    def take(self, device: int) -> None:
        device %= len(self.keys)
        if device in self.held:
            with pytest.raises(RuntimeError):
                self.coordinator.next_file(self.keys[device])
        else:
            self.take_by(device)

    @precondition(lambda self: self.rank)
    @rule(device=device_numbers, data=st.data())
    def choose(self, device: int, data: st.DataObject) -> None:
        device %= len(self.keys)
        name = data.draw(st.sampled_from(sorted(self.rank)))
        if device in self.held:
            with pytest.raises(RuntimeError):
                self.coordinator.lease_file(self.keys[device], name)
        else:
            self.take_named(device, name)

    @rule(device=device_numbers, files=st.integers(1, 4), is_ahead=st.booleans())
    def work(self, device: int, files: int, is_ahead: bool) -> None:
        """Several steps at once, or hardly a device would get to a second file."""
        device %= len(self.keys)
        for _ in range(files):
            if device in self.held:
                self.complete_by(device)
            if device not in self.held:
                self.take_by(device)
            if device in self.held and is_ahead:
                self.take_ahead_by(device)

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def take_ahead(self, data: st.DataObject) -> None:
        self.take_ahead_by(data.draw(st.sampled_from(sorted(self.held))))

    def take_ahead_by(self, device: int) -> None:
        depths = self.depths()
        given = self.coordinator.files_ahead(self.keys[device])
        assert not given or (self.coordinator.decides and device in self.open and not self.again)
        assert {each.file.id for each in given} <= self.free
        assert all(each.attempt == self.attempts[each.file.id] + 1 for each in given)
        assert self.policy == "cost" or not any(each.stolen_from for each in given)
        self.ahead[device] += given
        assert all(self.held_out_of(at) <= depth for at, depth in enumerate(depths))
        assert self.depths() == depths

    @precondition(lambda self: any(self.ahead.values()))
    @rule(data=st.data())
    def take_back(self, data: st.DataObject) -> None:
        device = data.draw(st.sampled_from([each for each, ahead in self.ahead.items() if ahead]))
        self.coordinator.take_back(self.keys[device])
        returned = self.ahead[device].pop()
        if not self.open:
            self.fresh.discard(returned.file.id)
            self.given_up.add(returned.file.id)

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def complete(self, data: st.DataObject) -> None:
        self.complete_by(data.draw(st.sampled_from(sorted(self.held))))

    @precondition(lambda self: self.held)
    @rule(data=st.data(), for_good=st.booleans())
    def fail(self, data: st.DataObject, for_good: bool) -> None:
        device = data.draw(st.sampled_from(sorted(self.held)))
        held = self.end(device)
        name = held.file.id
        self.coordinator.record_file_failure(self.keys[device], held.file.path, "no", 0.0, for_good=for_good)
        self.failures[name] += 1
        self.suspected[device].clear()
        if held.is_last or for_good:
            self.failed.add(name)
        else:
            self.wait_again(name, device)

    @rule(
        device=device_numbers,
        loss=st.sampled_from([Loss.DIED, Loss.DIED, Loss.KILLED, Loss.TIMED_OUT, Loss.STOPPED]),
    )
    def lose(self, device: int, loss: Loss) -> None:
        device %= len(self.keys)
        held = [self.end(device) for _ in range(1 + len(self.ahead[device]))] if device in self.held else [None]
        lost = held[-1]
        assert self.coordinator.worker_lost(self.keys[device], "worker", 1, "was killed", loss) == lost
        for each in filter(None, held[:-1]):
            self.wait_again(each.file.id, device)
        if lost is None:
            return
        name = lost.file.id
        if loss is Loss.TIMED_OUT:
            self.failures[name] += 1
            if lost.is_last:
                self.given_up.add(name)
                return
        if loss.is_death:
            self.died_on[name].append(device)
            if loss is Loss.DIED:
                self.suspected[device].add(name)
            if len(self.died_on[name]) == 3:
                self.given_up.add(name)
                return
            if sum(set(self.died_on[each]) == {device} for each in self.suspected[device]) >= 3:
                self.retired_one(device)
        self.wait_again(name, device)

    # Seldom, or most runs would end here.
    @precondition(lambda self: sum(self.attempts.values()) > 4 * len(self.retired))
    @rule(device=device_numbers)
    def retire(self, device: int) -> None:
        device %= len(self.keys)
        self.coordinator.retire(self.keys[device])
        self.retired_one(device)

    @precondition(lambda self: self.joined < MAX_JOINED)
    @rule(weight=st.sampled_from([0.1, 1.0, 3.0]))
    def join(self, weight: float) -> None:
        number = len(self.keys)
        device = cpus(number + 1)[-1]
        depths = self.depths()
        assert self.coordinator.add_device(device, weight) == number
        self.joined += 1
        self.keys.append(device.key)
        self.devices.add(number)
        assert self.depths() == [*depths, 0]
        assert [each.key for each in self.coordinator.devices] == self.keys

    # What always holds.

    @invariant()
    def every_file_waits_is_held_or_is_settled(self) -> None:
        settled = self.completed | self.failed | self.given_up
        assert self.coordinator.unsettled == len(self.rank) - len(settled)
        assert sum(self.depths()) == len(self.fresh)
        assert len(self.fresh) + len(self.again) + len(self.held) + len(settled) == len(self.rank)
        assert {at for at, key in enumerate(self.keys) if self.coordinator.is_retired(key)} == self.retired

    @invariant()
    def what_is_pending_is_listed_biggest_first_with_its_next_attempt(self) -> None:
        listed = self.coordinator.pending_files()
        assert [each.file.id for each in listed] == sorted(self.free | self.again, key=self.rank.__getitem__)
        for each in listed:
            assert (each.owner is None) == (each.file.id in self.again)
            expected = self.attempts[each.file.id] + 1, self.failures[each.file.id] >= self.retries
            assert (each.attempt, each.is_last) == expected

    @invariant()
    def the_account_agrees(self) -> None:
        totals = self.coordinator.get_totals()
        assert totals["files_completed"] == len(self.completed)
        assert totals["files_failed"] == len(self.failed) + len(self.given_up)
        announced = [event for event in self.sink.events if isinstance(event, FileQuarantined)]
        assert sorted((event.file, event.attempts) for event in announced) == sorted(
            (name, self.attempts[name]) for name in self.given_up
        )

    def teardown(self) -> None:
        """Whatever has happened, the devices that are left finish the run."""
        if not hasattr(self, "coordinator"):
            return
        while self.held:
            self.complete_by(min(self.held))
        while sum(self.take_by(device) is not None for device in self.devices):
            for device in sorted(self.held):
                self.complete_by(device)
        if not self.coordinator.decides:
            for pending in self.coordinator.pending_files():
                self.take_named(min(self.open), pending.file.id)
                self.complete_by(min(self.open))
        assert self.coordinator.unsettled == 0
        ends = [*self.completed, *self.failed, *self.given_up]
        assert sorted(ends) == sorted(self.rank)


def test_no_file_is_lost_or_leased_twice_or_settled_twice() -> None:
    run_state_machine_as_test(CoordinatorMachine, settings=settings(max_examples=250, stateful_step_count=25))


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_no_file_is_lost_or_leased_twice_or_settled_twice_in_a_long_search() -> None:
    run_state_machine_as_test(CoordinatorMachine, settings=settings(max_examples=5_000, stateful_step_count=100))
