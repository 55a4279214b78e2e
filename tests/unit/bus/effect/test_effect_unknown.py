"""What stealing has done for a run of which not everything is known, and whatever is said of it."""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.support.effects import assert_that_nothing_is_known, do, planned, told
from virnucpro_bus import events as ev
from virnucpro_bus.clock import NANOSECONDS
from virnucpro_bus.events.vocabulary import Device
from virnucpro_bus.metrics import Effect
from virnucpro_bus.testing import Script


def test_workers_without_a_coordinator_have_no_figures_but_their_steals() -> None:
    script = Script()
    do(script, "cpu:1", "a", 5.0, stolen_from="cpu:0")
    effect = told(script)
    assert_that_nothing_is_known(effect)
    assert [(steal["file_name"], steal["saved_seconds"]) for steal in effect["steals"]] == [("a", None)]


def test_before_the_first_file_nothing_is_known() -> None:
    assert_that_nothing_is_known(told(planned({"a": "cpu:0"})))


def test_before_the_first_completion_nothing_is_expected() -> None:
    script = planned({"a": "cpu:0", "b": "cpu:0"})
    script.say("worker-0", ev.FileStarted("cpu:0", "a", 1))
    script.clock.advance(3.0)
    effect = told(script)
    assert effect["idle_seconds"] == {"cpu:0": 0.0, "cpu:1": 3.0}
    assert effect["makespan_seconds"] == 3.0
    for figure in ("makespan_expected", "makespan_without_stealing", "lower_bound", "saved"):
        assert effect[f"{figure}_seconds"] is None  # type: ignore[literal-required]


def test_files_of_unknown_size_count_as_one_each() -> None:
    script = planned(dict.fromkeys("abcd", "cpu:0"), cost=0)
    for name in "ab":
        do(script, "cpu:0", name, 2.0)
    assert told(script)["makespan_without_stealing_seconds"] == pytest.approx(8.0)


def test_a_file_that_nobody_can_do_is_not_waited_for() -> None:
    script = planned({"a": "cpu:0", "b": "cpu:0"})
    do(script, "cpu:0", "a", 2.0)
    script.say("worker-0", ev.FileFailed("cpu:0", "b", 1, "not FASTA", 1.0), after_seconds=1.0)
    effect = told(script)
    assert effect["makespan_expected_seconds"] == effect["makespan_seconds"] == 3.0
    assert effect["busy_seconds"]["cpu:0"] == 3.0


def test_a_plan_of_which_a_part_is_missing_says_nothing() -> None:
    script = planned({"a": "cpu:0", "b": "cpu:0"})
    script.envelopes = [
        envelope
        for envelope in script.envelopes
        if not isinstance(envelope.event, ev.FilesAssigned) or envelope.event.files[0].file != "b"
    ]
    do(script, "cpu:0", "a", 5.0)
    do(script, "cpu:1", "b", 5.0, stolen_from="cpu:0")
    effect = told(script)
    assert_that_nothing_is_known(effect)
    assert effect["moves"] == 1


def test_failed_attempts_of_an_earlier_session_are_left_out() -> None:
    script = planned({"a": "cpu:0"})
    script.say("worker-0", ev.FileFailed("cpu:0", "a", 1, "bad", 30.0), after_seconds=30.0)
    devices = (Device("cpu:0"), Device("cpu:1"))
    script.say("coordinator", ev.RunStarted("job", "off", devices, 1), epoch=2, after_seconds=9.0)
    script.say("coordinator", ev.FilesAssigned("cpu:0", (ev.PlannedFile("a", 10, 10),)), epoch=2)
    do(script, "cpu:0", "a", 5.0)
    effect = told(script)
    assert (effect["makespan_seconds"], effect["busy_seconds"]["cpu:0"]) == (5.0, 5.0)


@pytest.mark.parametrize("boots", [False, True], ids=["the same boot", "the machine was started anew"])
def test_a_run_that_goes_on_counts_from_where_it_does(boots: bool) -> None:
    script = planned({"a": "cpu:0", "b": "cpu:0"})
    do(script, "cpu:0", "a", 50.0)
    script.clock.advance(1000.0)
    if boots:
        script.clock.mono = 10 * NANOSECONDS
    devices = (Device("cpu:0"), Device("cpu:1"))
    script.say("coordinator", ev.RunStarted("job", "threshold", devices, 2), epoch=2)
    script.say("coordinator", ev.FilesAssigned("cpu:0", (ev.PlannedFile("b", 10, 10),)), epoch=2)
    script.say("worker-0", ev.FileStarted("cpu:0", "b", 1), epoch=2)
    script.say("worker-0", ev.FileCompleted("cpu:0", "b", 1, 1, 7.0), epoch=2, after_seconds=7.0)
    effect = told(script)
    assert effect["makespan_seconds"] == effect["makespan_expected_seconds"] == 7.0
    assert effect["busy_seconds"] == {"cpu:0": 7.0, "cpu:1": 0.0}


def test_what_was_done_and_stolen_before_a_run_was_resumed_is_of_no_account_when_it_is_done_again() -> None:
    script = planned({"a": "cpu:0", "b": "cpu:0"})
    do(script, "cpu:1", "a", 50.0, stolen_from="cpu:0")
    devices = (Device("cpu:0"), Device("cpu:1"))
    script.say("coordinator", ev.RunStarted("job", "threshold", devices, 2), epoch=2, after_seconds=9.0)
    files = tuple(ev.PlannedFile(name, 10, 10) for name in "ab")
    script.say("coordinator", ev.FilesAssigned("cpu:1", files), epoch=2)
    do(script, "cpu:1", "b", 5.0)
    assert told(script)["makespan_expected_seconds"] == pytest.approx(10.0)
    do(script, "cpu:1", "a", 5.0)
    effect = told(script)
    assert (effect["makespan_expected_seconds"], effect["moves"]) == (10.0, 0)


few_files = st.sampled_from(["a", "b", "c", "d"])
few_devices = st.sampled_from(["cpu:0", "cpu:1", "cpu:2"])
extreme_counts = st.sampled_from([0, 1, 7, 2**63 - 1])
extreme_seconds = st.sampled_from([0.0, 5e-324, 1e-12, 1.5, 1e12])
extreme_facts = st.one_of(
    st.builds(
        ev.RunStarted,
        st.just("job"),
        st.sampled_from(["off", "cost"]),
        st.just((Device("cpu:0"),)),
        st.sampled_from([0, 4]),
    ),
    st.builds(
        ev.FilesAssigned,
        few_devices,
        st.tuples(st.builds(ev.PlannedFile, few_files, extreme_counts, extreme_counts)),
    ),
    st.builds(ev.FileStarted, few_devices, few_files, st.just(1)),
    st.builds(ev.FileProgress, few_devices, few_files, st.just(1), extreme_counts, st.none() | extreme_counts),
    st.builds(ev.FileCompleted, few_devices, few_files, st.just(1), st.just(1), extreme_seconds),
    st.builds(ev.FileFailed, few_devices, few_files, st.just(1), st.just("bad"), extreme_seconds, st.booleans()),
    st.builds(ev.WorkStolen, few_devices, few_devices, few_files, st.just(1), extreme_counts),
    st.builds(ev.RunFinished, st.just(0), st.just(1), st.just(1)),
)


@given(
    said=st.lists(st.tuples(st.sampled_from(["coordinator", "w0", "w1", "w2"]), extreme_facts), max_size=25),
    pauses=st.lists(st.sampled_from([0.0, 1e-9, 3.0, 1e9]), min_size=25, max_size=25),
)
@settings(max_examples=150)
def test_whatever_is_said_every_figure_is_a_number_or_unknown_and_none_is_below_zero(
    said: list[tuple[str, ev.Fact]], pauses: list[float]
) -> None:
    script = Script()
    for (source, fact), pause in zip(said, pauses, strict=False):
        script.say(source, fact, after_seconds=pause)
    assert_that_figures_are_possible(told(script))


def assert_that_figures_are_possible(effect: Effect) -> None:
    json.dumps(effect, allow_nan=False)
    for name, value in effect.items():
        for each in value.values() if isinstance(value, dict) else value if isinstance(value, tuple) else [value]:
            if not name.startswith(("saved", "above_bound", "steals")) and each is not None:
                assert isinstance(each, int | float)
                assert each >= 0


@given(
    costs=st.lists(extreme_counts, min_size=1, max_size=6),
    done=st.lists(st.tuples(st.sampled_from(["cpu:0", "cpu:1"]), st.sampled_from([1e-12, 1.5, 1e7])), max_size=6),
)
# The first changes more from file to file than any device does, the next differs more from what its size says, …
@example(costs=[0, 2**63 - 1], done=[("cpu:0", 1.5)] * 2)
@example(costs=[2**63 - 1, 0, 7], done=[("cpu:0", 1e-12), ("cpu:0", 1.5), ("cpu:1", 1e7)])
# … and here what is left takes less time than a float can tell.
@example(costs=[2**63 - 1, 0, 0], done=[("cpu:0", 1.5)])
def test_whatever_files_of_extreme_sizes_take_every_figure_is_a_number_or_unknown_and_none_is_below_zero(
    costs: list[int], done: list[tuple[str, float]]
) -> None:
    script = planned({})
    files = [f"f{at}" for at in range(len(costs))]
    for file, cost in zip(files, costs, strict=True):
        script.say("coordinator", ev.FilesAssigned("cpu:0", (ev.PlannedFile(file, cost, cost),)))
    for file, (device, seconds) in zip(files, done, strict=False):
        do(script, device, file, seconds, stolen_from="cpu:0" if device == "cpu:1" else None)
    assert_that_figures_are_possible(told(script))
    for file in files[len(done) :][:1]:
        script.say("worker-0", ev.FileStarted("cpu:0", file, 1))
    script.clock.advance(3.0)
    assert_that_figures_are_possible(told(script))
