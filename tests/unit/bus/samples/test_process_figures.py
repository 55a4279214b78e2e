"""What the processes of workers use, from the totals in their heartbeats."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import permutations
from typing import Any

import pytest

from virnucpro_bus import events as ev
from virnucpro_bus.events.envelope import Envelope
from virnucpro_bus.fold.fleet import FleetState
from virnucpro_bus.testing import Script

CPU = ev.Device("cpu:0")
MIB = 1 << 20


def beat(cpu_milliseconds: int | None, resident: int | None = MIB, read: int | None = 0) -> ev.Heartbeat:
    return ev.Heartbeat(CPU.key, "busy", 0, 0, 0, 0, 0, cpu_milliseconds, resident, read)


def said(*beats: ev.Heartbeat, worker: str = "worker-0") -> Script:
    """A worker, and a heartbeat every second."""
    script = Script()
    script.say(worker, ev.WorkerStarted(CPU, 7))
    for each in beats:
        script.say(worker, each, after_seconds=1)
    return script


def figures(script: Script, envelopes: Iterable[Envelope] | None = None) -> tuple[Any, ...]:
    fleet = FleetState(script.clock, local_host="node")
    for envelope in script.envelopes if envelopes is None else envelopes:
        fleet.apply(envelope)
    (row,) = fleet.get_gpu_metrics()
    return row["cpu_percent"], row["resident_bytes"], row["read_bytes_per_second"]


def test_rates_are_over_the_last_two_seconds_and_memory_is_that_of_now() -> None:
    script = said(beat(0), beat(9_000), beat(10_000, MIB, 5 * MIB), beat(12_000, 3 * MIB, 8 * MIB))
    assert figures(script) == pytest.approx((150.0, 3 * MIB, 4 * MIB))


def test_from_one_heartbeat_alone_no_rate_is_known() -> None:
    assert figures(said(beat(500))) == (None, MIB, None)


def test_a_worker_that_does_not_report_its_use_has_none() -> None:
    plain = ev.Heartbeat(CPU.key, "busy", 0, 0, 0, 0, 0)
    assert figures(said(plain, plain)) == (None, None, None)
    assert figures(said(beat(0, MIB, None), beat(1_000, MIB, None))) == (pytest.approx(100.0), MIB, None)


def test_a_total_that_fell_makes_the_rate_unknown() -> None:
    assert figures(said(beat(500, MIB, 9), beat(400, MIB, 9))) == (None, MIB, 0.0)


def test_figures_of_a_worker_that_is_not_heard_for_three_seconds_are_unknown() -> None:
    script = said(beat(0), beat(1_000))
    script.clock.advance(3.1)
    assert figures(script) == (None, None, None)


def test_a_worker_that_has_ended_uses_nothing_that_is_known() -> None:
    script = said(beat(0), beat(1_000))
    script.say("worker-0", ev.WorkerStopped(CPU.key, "finished"))
    assert figures(script) == (None, None, None)


def test_the_workers_of_a_device_add_up_and_what_is_unknown_of_one_is_unknown_of_all() -> None:
    script = said(beat(0), beat(1_000))
    other = said(beat(0), beat(500), worker="other")
    unknown = said(beat(0), worker="third")
    assert figures(script, [*script.envelopes, *other.envelopes]) == pytest.approx((150.0, 2 * MIB, 0.0))
    both = [*script.envelopes, *unknown.envelopes]
    assert figures(script, both) == (None, 2 * MIB, None)


def test_no_order_of_arrival_changes_them() -> None:
    script = said(beat(0), beat(100), beat(300), beat(600), beat(1_000))
    start, *beats = script.envelopes
    for order in permutations(beats):
        assert figures(script, [start, *order, *order]) == pytest.approx((35.0, MIB, 0.0))
