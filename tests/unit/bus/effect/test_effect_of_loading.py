"""How long workers load their job is reported by itself; the forecast knows when the last of them are ready."""

from __future__ import annotations

import pytest

from tests.support.driven_coordinator import ready
from tests.support.effects import do, told
from virnucpro_bus import events as ev
from virnucpro_bus.effect.combine import combine
from virnucpro_bus.events.vocabulary import STARTING, Device
from virnucpro_bus.testing import Script

DEVICES = Device("cpu:0"), Device("cpu:1")


def start(script: Script, slot: int, after_seconds: float = 0.0, epoch: int = 1) -> None:
    started = ev.WorkerStarted(DEVICES[slot], 100, is_loading=True)
    script.say(f"worker-{slot}", started, epoch=epoch, after_seconds=after_seconds)


def one_loads(policy: str = "threshold", plan: dict[str, str] | None = None) -> Script:
    """After 50 s, of which cpu:0 loaded for 30 and did a file for 10; cpu:1, started at 35 s, still loads."""
    script = Script()
    plan = plan or dict.fromkeys("abcd", "cpu:0")
    script.say("coordinator", ev.RunStarted("job", policy, DEVICES, len(plan)))
    for file, owner in plan.items():
        script.say("coordinator", ev.FilesAssigned(owner, (ev.PlannedFile(file, 10, 10),)))
    start(script, 0, after_seconds=10)
    start(script, 1, after_seconds=25)
    script.say("worker-0", ready(DEVICES[0]), after_seconds=5)
    do(script, "cpu:0", "a", 10.0)
    return script


def test_what_was_loaded_before_the_first_file_is_in_no_other_figure_and_what_after_it_is_idle() -> None:
    effect = told(one_loads())
    assert effect["loading_seconds"] == {"cpu:0": 30.0, "cpu:1": 15.0}
    assert effect["makespan_seconds"] == 10.0
    assert effect["idle_seconds"] == {"cpu:0": 0.0, "cpu:1": 10.0}


def test_it_is_known_before_any_file_has_begun() -> None:
    script = one_loads()
    del script.envelopes[-3:]
    assert told(script)["loading_seconds"] == {"cpu:0": 40.0, "cpu:1": 15.0}


def test_a_successor_adds_to_the_time_of_its_device() -> None:
    script = one_loads()
    script.say("coordinator", ev.WorkerLost("cpu:0", "worker-0", 1, "was killed"))
    start(script, 0, epoch=2)
    script.say("worker-0", ev.Heartbeat("cpu:0", STARTING, 0, 0, 0, 0, 0), epoch=2, after_seconds=7)
    assert told(script)["loading_seconds"] == {"cpu:0": 37.0, "cpu:1": 22.0}


def test_what_an_earlier_session_loaded_does_not_count() -> None:
    script = one_loads()
    for slot, device in enumerate(DEVICES):
        script.say("coordinator", ev.WorkerLost(device.key, f"worker-{slot}", 1, "the launcher has ended"))
    script.say("coordinator", ev.RunStarted("job", "threshold", DEVICES, 4), epoch=2, after_seconds=5)
    start(script, 1, after_seconds=1, epoch=2)
    script.clock.advance(3)
    assert told(script)["loading_seconds"] == {"cpu:1": 3.0}


@pytest.mark.parametrize(
    ("policy", "plan", "expected"),
    [
        # At 35 + 30 s it is expected to be ready, which is 25 s after the first file began.
        ("off", dict(zip("abcd", ["cpu:0"] * 2 + ["cpu:1"] * 2, strict=True)), 25.0 + 2 * 10.0),
        # The other does two files until then, and half of the last one is left.
        ("threshold", None, 25.0 + 10.0),
    ],
)
def test_a_device_that_loads_is_expected_to_be_ready_as_soon_as_others_were(
    policy: str, plan: dict[str, str] | None, expected: float
) -> None:
    assert told(one_loads(policy, plan))["makespan_expected_seconds"] == pytest.approx(expected, abs=0.1)


def test_one_that_loads_does_not_hold_up_a_run_that_others_will_have_finished() -> None:
    script = one_loads(plan={"a": "cpu:0", "b": "cpu:0"})
    script.say("worker-0", ev.FileStarted("cpu:0", "b", 1))
    assert told(script)["makespan_expected_seconds"] == pytest.approx(20.0)


def test_where_no_other_has_shown_how_long_it_takes_it_is_expected_to_be_ready_now() -> None:
    script = one_loads()
    is_start_of_first = script.envelopes.index(next(e for e in script.envelopes if e.source == "worker-0"))
    del script.envelopes[is_start_of_first]
    effect = told(script)
    assert effect["loading_seconds"] == {"cpu:1": 15.0}
    assert effect["makespan_expected_seconds"] == pytest.approx(10.0 + 15.0)


def test_of_several_runs_loading_adds_up_also_of_those_of_which_nothing_else_is_known() -> None:
    begun, not_begun = one_loads(), one_loads()
    del not_begun.envelopes[-3:]
    both = combine([told(begun), told(not_begun)])
    assert both["loading_seconds"] == {"cpu:0": 70.0, "cpu:1": 30.0}
    assert both["makespan_seconds"] == 10.0
