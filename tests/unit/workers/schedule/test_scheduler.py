"""Two workers and up to three files: every order in which they can lease, finish, fail and die."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import NamedTuple

import pytest

from workers.schedule.blame import DEATHS_UNTIL_QUARANTINE, Loss
from workers.schedule.policy_registry import make_policy
from workers.schedule.scheduler import NO_DEVICE, Abandoned, Scheduler

DEVICES = (0, 1)
MOST_FILES = 3


class State(NamedTuple):
    """A scheduler, and what has happened to each file on the way to it."""

    scheduler: Scheduler
    done: frozenset[int] = frozenset()
    failed: frozenset[int] = frozenset()
    given_up: frozenset[Abandoned] = frozenset()
    failures: tuple[int, ...] = (0,) * MOST_FILES
    deaths: tuple[int, ...] = (0,) * MOST_FILES

    @property
    def settled(self) -> list[int]:
        return sorted([*self.done, *self.failed, *(each.file for each in self.given_up)])

    def key(self) -> str:
        """What tells states apart from which something else may follow."""
        parts = vars(self.scheduler)
        return repr([self[1:], *(_inside(each) for each in parts.values())])


def _inside(part: object) -> list[tuple[str, object]]:
    return sorted((name, _plain(value)) for name, value in getattr(part, "__dict__", {"": part}).items())


def _plain(value: object) -> object:
    """Without the order of arrival that sets and dicts remember."""
    if isinstance(value, dict):
        return sorted((key, _plain(each)) for key, each in value.items())
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return sorted(value) if isinstance(value, set) else value


def steps(state: State, retries: int) -> Iterator[State]:
    """All that can happen next, one thing at a time."""
    for device in DEVICES:
        scheduler = deepcopy(state.scheduler)
        lease = scheduler.held(device)
        if lease is None:
            lease = scheduler.lease(device, 0.0)
            if lease is not None:
                assert lease.is_last == (state.failures[lease.file] >= retries)
                assert lease.attempt == 1 + state.failures[lease.file] + state.deaths[lease.file]
                yield state._replace(scheduler=scheduler)
            continue
        file = lease.file
        scheduler.complete(device, 1.0, 0.0)
        yield state._replace(scheduler=scheduler, done=state.done | {file})

        failures = _one_more(state.failures, file)
        scheduler = deepcopy(state.scheduler)
        given_up = state.given_up | set(scheduler.fail(device, 0.0, for_good=False))
        failed = state.failed | {file} if lease.is_last else state.failed
        yield state._replace(scheduler=scheduler, failed=failed, given_up=given_up, failures=failures)

        scheduler = deepcopy(state.scheduler)
        given_up = state.given_up | set(scheduler.lose(device, Loss.DIED, "was killed", 0.0))
        yield state._replace(scheduler=scheduler, given_up=given_up, deaths=_one_more(state.deaths, file))


def _one_more(counts: tuple[int, ...], file: int) -> tuple[int, ...]:
    return tuple(count + (number == file) for number, count in enumerate(counts))


def explore(scheduler: Scheduler, retries: int, check: Callable[[State, bool], None]) -> int:
    """Call `check` with every reachable state and whether it is an end; return how many there are."""
    start = State(scheduler)
    seen, todo = {start.key()}, [start]
    while todo:
        state = todo.pop()
        following = list(steps(state, retries))
        check(state, not following)
        for each in following:
            if (key := each.key()) not in seen:
                seen.add(key)
                todo.append(each)
    return len(seen)


@pytest.mark.parametrize(
    ("plan", "policy", "retries"),
    [
        ([[0, 2], [1]], "off", 0),
        ([[0, 1, 2], []], "threshold", 0),
        ([[0], [1]], "off", 1),
        pytest.param([[0], [1]], "off", 2, marks=pytest.mark.slow),
    ],
)
def test_in_whatever_order_workers_finish_fail_and_die_every_file_ends_once_and_is_blamed_rightly(
    plan: list[list[int]], policy: str, retries: int
) -> None:
    files = sum(map(len, plan))

    def check(state: State, is_end: bool) -> None:
        scheduler, settled = state.scheduler, state.settled
        held = [lease.file for device in DEVICES if (lease := scheduler.held(device)) is not None]
        assert len(set(settled)) == len(settled)
        assert not set(held) & set(settled)
        assert len(set(held)) == len(held)
        waiting = sum(scheduler.depths()) + scheduler.pending_retries
        assert (scheduler.unsettled, waiting) == (files - len(settled), files - len(settled) - len(held))
        if is_end:
            assert settled == list(range(files))
        for file in state.failed:
            assert state.failures[file] == retries + 1
        for given_up in state.given_up:
            assert given_up.attempts == state.failures[given_up.file] + state.deaths[given_up.file]
            if given_up.reason == NO_DEVICE:
                assert not any(map(scheduler.is_open, DEVICES))
            else:
                assert state.deaths[given_up.file] == DEATHS_UNTIL_QUARANTINE
        # Three different files have to die on a device before it is retired.
        if not all(map(scheduler.is_open, DEVICES)):
            assert min(state.deaths) >= 1

    assert (
        explore(Scheduler(plan, make_policy(policy, [1] * files, [1.0] * len(plan)), retries), retries, check)
        > 1_000
    )
