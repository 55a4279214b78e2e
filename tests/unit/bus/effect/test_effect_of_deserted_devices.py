"""A device whose worker is gone for good: what others took from its queue would have stayed there."""

from __future__ import annotations

import pytest

from tests.support.driven_coordinator import ready
from tests.support.effects import do, planned, told
from virnucpro_bus import events as ev
from virnucpro_bus.events.vocabulary import Device
from virnucpro_bus.testing import Script


def lost_after(files: int) -> Script:
    """cpu:1 does so many of its three files of 10 s, then its worker is lost; cpu:0 has one of its own."""
    script = planned({"a": "cpu:0", "b": "cpu:1", "c": "cpu:1", "d": "cpu:1"})
    for file in "bcd"[:files]:
        do(script, "cpu:1", file, 10)
    script.say("coordinator", ev.WorkerLost("cpu:1", "worker-1", script.envelopes[-1].epoch, "left"))
    do(script, "cpu:0", "a", 10)
    return script


def test_without_stealing_its_files_would_have_been_done_after_now_at_the_earliest() -> None:
    script = lost_after(1)
    for file in "cd":
        do(script, "cpu:0", file, 10, stolen_from="cpu:1")
    effect = told(script)
    assert effect["makespan_seconds"] == pytest.approx(40)
    assert effect["makespan_without_stealing_seconds"] is None
    least, most = effect["makespan_without_stealing_range"] or (0.0, 0.0)
    assert least == pytest.approx(60, rel=0.1)
    assert most is None
    assert [steal["saved_seconds"] for steal in effect["steals"]] == [None, None]


def test_what_was_taken_before_is_another_matter_and_so_is_a_worker_that_is_back() -> None:
    before = planned({"a": "cpu:0", "b": "cpu:1", "c": "cpu:1"})
    do(before, "cpu:1", "b", 10)
    do(before, "cpu:0", "a", 10)
    do(before, "cpu:0", "c", 10, stolen_from="cpu:1")
    before.say("coordinator", ev.WorkerLost("cpu:1", "worker-1", before.envelopes[-1].epoch, "left"))
    assert told(before)["makespan_without_stealing_seconds"] is not None
    back = lost_after(1)
    do(back, "cpu:0", "c", 10, stolen_from="cpu:1")
    assert told(back)["makespan_without_stealing_seconds"] is None
    back.say("worker-1b", ev.WorkerStarted(Device("cpu:1"), 101))
    back.say("worker-1b", ready(Device("cpu:1")))
    assert told(back)["makespan_without_stealing_seconds"] is not None
