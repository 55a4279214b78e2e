"""Files that devices hold ahead of their turn: none is lost, begun twice, or reached by another device."""

from __future__ import annotations

from collections import Counter
from itertools import count

from hypothesis import given
from hypothesis import strategies as st

from workers.schedule.blame import Loss
from workers.schedule.plan import assign
from workers.schedule.policy_registry import POLICIES, make_policy
from workers.schedule.scheduler import Scheduler

DEVICES = 3
COMPLETE, FAIL, DIE, TAKE_BACK, RETIRE = "complete", "fail", "die", "take back", "retire"


class Devices:
    """Devices that hold as much ahead as they get; the model knows only what each holds."""

    def __init__(self, files: int, policy: str, *, is_one_sided: bool = False) -> None:
        """`is_one_sided`: all files are in the queue of device 0, so that the others steal."""
        costs, weights = [1] * files, [1.0] * DEVICES
        plan = [range(files), [], []] if is_one_sided else assign(costs, weights)
        self.scheduler = Scheduler(plan, make_policy(policy, costs, weights), retries=files)
        self.files = files
        self.held: dict[int, list[int]] = {device: [] for device in range(DEVICES)}
        self.attempts: Counter[int] = Counter()
        self.done: list[int] = []
        self.most_ahead = 0
        self._now = count()

    def step(self, device: int, action: str) -> None:
        held, scheduler = self.held[device], self.scheduler
        if not held:
            lease = scheduler.lease(device, next(self._now))
            if lease is not None:
                held.append(lease.file)
                self._begin(device, lease.attempt)
        elif action == COMPLETE:
            scheduler.complete(device, 0.001, next(self._now))
            self.done.append(held.pop(0))
            self._begin_next(device)
        elif action == FAIL:
            scheduler.fail(device, next(self._now), for_good=False)
            held.pop(0)
            self._begin_next(device)
        elif action == DIE:
            for _ in range(len(held)):
                scheduler.lose(device, Loss.STOPPED, "", next(self._now))
                held.pop(0)
                self._begin_next(device)
        elif action == TAKE_BACK and len(held) > 1:
            assert scheduler.take_back(device) == []
            held.pop()
        elif action == RETIRE and device:
            scheduler.retire(device)
        if held:
            leases = scheduler.lease_ahead(device, next(self._now))
            assert all(lease.attempt == self.attempts[lease.file] + 1 for lease in leases)
            held += [lease.file for lease in leases]
            self.most_ahead = max(self.most_ahead, len(held) - 1)
        self.check()

    def _begin_next(self, device: int) -> None:
        lease = self.scheduler.held(device)
        if lease is not None:
            assert lease.file == self.held[device][0]
            self._begin(device, lease.attempt)

    def _begin(self, device: int, attempt: int) -> None:
        file = self.held[device][0]
        self.attempts[file] += 1
        assert attempt == self.attempts[file]

    def check(self) -> None:
        scheduler = self.scheduler
        taken = [*self.done, *(file for held in self.held.values() for file in held)]
        assert len(taken) == len(set(taken))
        in_hand = sum(map(bool, self.held.values()))
        assert scheduler.unsettled == self.files - len(self.done)
        assert scheduler.pending == scheduler.unsettled - in_hand
        assert sum(scheduler.depths()) + scheduler.pending_retries == scheduler.pending
        free = {each.file for each in scheduler.pending_files()}
        assert free == set(range(self.files)) - set(taken)


steps = st.tuples(
    st.integers(0, DEVICES - 1), st.sampled_from([COMPLETE, COMPLETE, COMPLETE, FAIL, DIE, TAKE_BACK, RETIRE])
)


@given(st.integers(1, 60), st.sampled_from(POLICIES), st.booleans(), st.lists(steps, max_size=80))
def test_whatever_devices_do_with_what_they_hold_every_file_is_done_once(
    files: int, policy: str, is_one_sided: bool, actions: list[tuple[int, str]]
) -> None:
    devices = Devices(files, policy, is_one_sided=is_one_sided)
    for device, action in actions:
        devices.step(device, action)
    for _ in range(4 * files):
        for device in devices.held:
            devices.step(device, COMPLETE)
    assert sorted(devices.done) == list(range(files))


def test_files_are_held_ahead_by_every_policy_that_decides() -> None:
    for policy in POLICIES:
        devices = Devices(60, policy)
        for _ in range(10):
            devices.step(0, COMPLETE)
        assert devices.most_ahead > 1


def test_nothing_is_held_ahead_while_a_file_is_to_be_tried_again() -> None:
    devices = Devices(60, "off")
    for action in (COMPLETE, COMPLETE, COMPLETE, FAIL):
        devices.step(0, action)
    while len(devices.held[0]) > 1:
        devices.step(0, COMPLETE)
    devices.step(0, COMPLETE)
    assert devices.held[0] == []


def test_what_a_device_holds_stays_part_of_its_forecast() -> None:
    costs, weights = [1] * 20, [1.0, 1.0]
    policy = make_policy("cost", costs, weights)
    scheduler = Scheduler([list(range(20)), []], policy, retries=0)
    scheduler.lease(0, 0.0)
    scheduler.complete(0, 0.001, 0.001)
    scheduler.lease(0, 0.001)
    forecast = policy._forecast  # type: ignore[attr-defined]
    before = list(forecast.finish_at)
    assert scheduler.lease_ahead(0, 0.001)
    assert forecast.finish_at == before


class Thief:
    """A run of 60 files, all first assigned to device 0, whose device 1 has stolen two and completed one."""

    def __init__(self, policy: str) -> None:
        costs, weights = [1] * 60, [1.0, 1.0, 1.0]
        self.policy = make_policy(policy, costs, weights)
        self.scheduler = Scheduler([range(60), [], []], self.policy, retries=0)
        self.scheduler.lease(0, 0.0)
        self.scheduler.lease(1, 0.0)
        self.scheduler.complete(1, 0.001, 0.001)
        self.scheduler.lease(1, 0.001)

    def forecast(self) -> list[list[float]]:
        """What is expected of each device."""
        forecast = self.policy._forecast  # type: ignore[attr-defined]
        return [list(forecast.pending), list(forecast.free_at), list(forecast.finish_at), list(forecast.capacity)]


def test_a_thief_holds_ahead_what_it_steals_next_which_stays_pending_in_its_victims_queue() -> None:
    thief = Thief("cost")
    scheduler = thief.scheduler
    before = scheduler.depths()
    ahead = scheduler.lease_ahead(1, 0.001)
    assert len(ahead) > 1
    assert {lease.victim for lease in ahead} == {0}
    assert scheduler.depths() == before
    scheduler.complete(1, 0.001, 0.002)
    assert scheduler.held(1) == ahead[0]
    assert scheduler.depths() == [before[0] - 1, 0, 0]


def test_by_the_policy_threshold_a_device_steals_only_when_it_has_no_file() -> None:
    assert Thief("threshold").scheduler.lease_ahead(1, 0.001) == []


def test_what_is_taken_back_from_a_thief_is_in_its_victims_queue_as_if_it_had_not_been_stolen() -> None:
    thief = Thief("cost")
    before, pending = thief.forecast(), thief.scheduler.pending_files()
    for _ in thief.scheduler.lease_ahead(1, 0.001):
        assert thief.forecast() != before
        assert thief.scheduler.pending_files() != pending
    while thief.scheduler.ahead(1):
        assert thief.scheduler.take_back(1) == []
    assert (thief.forecast(), thief.scheduler.pending_files()) == (before, pending)


def test_what_is_taken_back_from_a_thief_goes_to_another_device_if_its_victim_is_retired() -> None:
    thief = Thief("cost")
    scheduler = thief.scheduler
    ahead = scheduler.lease_ahead(1, 0.001)
    scheduler.retire(0)
    while scheduler.ahead(1):
        assert scheduler.take_back(1) == []
    owners = {each.file: each.owner for each in scheduler.pending_files()}
    assert {owners[lease.file] for lease in ahead} <= {1, 2}
    assert thief.forecast()[0] == [0.0, *map(float, scheduler.depths()[1:])]
