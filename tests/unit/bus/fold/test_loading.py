"""A worker that loads its job says so, and how long; no rate counts that time."""

from __future__ import annotations

import pytest

from tests.support.two_devices import FAST, folded, row
from virnucpro_bus import events as ev
from virnucpro_bus.events.vocabulary import STARTING
from virnucpro_bus.testing import Script

LOADS, LOADS_NOTHING = ev.WorkerStarted(FAST, 100, is_loading=True), ev.WorkerStarted(FAST, 100)
DONE = ev.FileCompleted(FAST.key, "a.fa", 1, 100, 5.0)


def beat(state: str) -> ev.Heartbeat:
    return ev.Heartbeat(FAST.key, state, 0, 0, 0, 0, 0)


def loading() -> Script:
    """A worker that has been loading for 40 s."""
    script = Script()
    script.say("coordinator", ev.RunStarted("job", "threshold", (FAST,), 4))
    script.say("worker-0", LOADS, after_seconds=2)
    script.say("worker-0", beat(STARTING), after_seconds=40)
    return script


def loaded() -> Script:
    """A worker that has been loading for 42 s, and since then has done one file in 5 s."""
    script = loading()
    script.say("worker-0", beat("idle"), after_seconds=2)
    script.say("worker-0", ev.FileStarted(FAST.key, "a.fa", 1))
    script.say("worker-0", DONE, after_seconds=5)
    return script


def state_and_seconds(script: Script, after_seconds: float = 0.0) -> tuple[str, float | None]:
    found = row(script, after_seconds=after_seconds)
    return found["state"], found["loading_seconds"]


def test_while_it_loads_its_time_runs() -> None:
    assert state_and_seconds(loading()) == ("loading", 40.0)
    assert state_and_seconds(loading(), after_seconds=2.5) == ("loading", 42.5)


def test_once_it_is_ready_how_long_it_took_stands() -> None:
    assert state_and_seconds(loaded(), after_seconds=1) == ("idle", 42.0)


def test_the_start_of_a_file_ends_it_too() -> None:
    script = loading()
    script.say("worker-0", ev.FileStarted(FAST.key, "a.fa", 1), after_seconds=1)
    assert state_and_seconds(script) == ("busy", None)
    script.say("worker-0", beat(STARTING))
    assert state_and_seconds(script) == ("busy", None)


def test_a_worker_that_loads_nothing_is_idle_at_once() -> None:
    script = Script()
    script.say("mine", LOADS_NOTHING)
    script.say("mine", beat("idle"), after_seconds=1)
    assert state_and_seconds(script) == ("idle", None)


def test_a_worker_of_an_earlier_version_loads_from_its_first_heartbeat_on() -> None:
    script = Script()
    script.say("worker-0", LOADS_NOTHING)
    assert state_and_seconds(script) == ("idle", None)
    script.say("worker-0", beat(STARTING), after_seconds=1)
    assert state_and_seconds(script) == ("loading", 1.0)
    script.say("worker-0", beat("idle"), after_seconds=3)
    assert state_and_seconds(script) == ("idle", 4.0)


@pytest.mark.parametrize(("heard", "told"), [(STARTING, "loading"), ("idle", "idle")])
def test_a_heartbeat_heals_a_start_that_was_lost_but_since_when_is_unknown(heard: str, told: str) -> None:
    script = Script()
    script.say("worker-0", LOADS)
    script.say("worker-0", beat(heard))
    del script.envelopes[0]
    assert state_and_seconds(script) == (told, None)


def test_a_worker_that_stops_or_dies_before_it_is_ready_has_loaded_until_it_was_last_heard() -> None:
    stopped, died = loading(), loading()
    stopped.say("worker-0", ev.WorkerStopped(FAST.key, "no such model"), after_seconds=1)
    died.say("coordinator", ev.WorkerLost(FAST.key, "worker-0", 1, "was killed"), after_seconds=1)
    assert state_and_seconds(stopped, after_seconds=100) == ("stopped", 41.0)
    assert state_and_seconds(died, after_seconds=100) == ("lost", 40.0)


def test_after_a_death_the_successor_loads_and_its_own_time_counts() -> None:
    script = loaded()
    script.say("coordinator", ev.WorkerLost(FAST.key, "worker-0", 1, "was killed"))
    script.say("worker-0", LOADS, epoch=2, after_seconds=1)
    assert state_and_seconds(script, after_seconds=3) == ("loading", 3.0)


def test_a_rate_is_unknown_while_a_successor_loads_and_begins_with_its_first_file() -> None:
    script = loaded()
    assert row(script)["throughput"] == 20.0
    script.say("coordinator", ev.WorkerLost(FAST.key, "worker-0", 1, "was killed"))
    script.say("worker-0", LOADS, epoch=2)
    script.say("worker-0", beat(STARTING), epoch=2, after_seconds=20)
    assert row(script)["throughput"] is None
    script.say("worker-0", beat("idle"), epoch=2, after_seconds=20)
    script.say("worker-0", ev.FileStarted(FAST.key, "b.fa", 1), epoch=2)
    script.say("worker-0", DONE, epoch=2, after_seconds=5)
    assert row(script)["throughput"] == 20.0


def test_of_two_workers_the_one_that_is_ready_goes_on_while_the_other_loads() -> None:
    script = loaded()
    script.say("worker-1", LOADS)
    found = row(script, after_seconds=5)
    assert (found["state"], found["throughput"]) == ("idle", 10.0)


def test_a_device_that_loads_for_long_has_not_stalled() -> None:
    assert row(loading(), after_seconds=1)["seconds_since_done"] == 0.0
    script = loading()
    script.say("worker-0", beat("idle"), after_seconds=400)
    assert row(script, after_seconds=3)["seconds_since_done"] == 3.0


def test_a_run_that_was_broken_off_has_no_worker_that_loads() -> None:
    fold = folded(loading())
    fold.break_off()
    (found,) = fold.metrics(fold.last_ns + 10**12)
    assert (found["state"], found["loading_seconds"]) == ("stopped", 40.0)
