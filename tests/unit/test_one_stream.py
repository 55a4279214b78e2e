"""One stream, whichever way it comes: in process, over sockets, from a capture. The figures are the same."""

from __future__ import annotations

from pathlib import Path

import pytest
import zmq
from buses import peer, served_hub, wait_until
from captures import write_capture
from coordinated import DEVICES, CoordinatedRun, coordinated_runs
from hypothesis import given
from runs import MadeRun, made_runs

from virnucpro_bus.clock import SystemClock
from virnucpro_bus.fleet import FleetReport, FleetState
from virnucpro_bus.replay import fold_capture
from virnucpro_bus.subscriber import Subscriber

EVENT_FIGURES = ("events_published", "events_received", "events_lost")


def a_run_of_everything() -> CoordinatedRun:
    """Steals, a death with a stolen file in hand, a failure; played to its end."""
    run = CoordinatedRun([9, 8, 7, 6, 5, 4, 3, 2, 1, 1, 1, 1])
    fast, slow, cpu = DEVICES
    for device in (slow, cpu):
        run.take(device)
    for _ in range(5):
        run.take(fast)
        run.script.clock.advance(2)
        run.complete(fast)
    run.take(fast)
    run.die(fast)
    run.take(fast, silently=True)
    run.fail(cpu)
    run.finish()
    return run


def directly(run: CoordinatedRun | MadeRun) -> FleetReport:
    fleet = FleetState(run.script.clock)
    for envelope in run.script.envelopes:
        fleet.apply(envelope, envelope.mono_ns)
    return fleet.report()


def test_the_run_has_something_of_everything() -> None:
    report = directly(a_run_of_everything())
    assert report["totals"]["steals"] > 2
    assert report["totals"]["files_failed"] == 1
    assert report["totals"]["files_completed"] == 11


@pytest.mark.parametrize("joined", ["early", "half-way", "late"])
def test_over_sockets_and_from_the_capture_the_report_is_that_of_the_fold(tmp_path: Path, joined: str) -> None:
    run = a_run_of_everything()
    frames = run.script.frames()
    at = {"early": 0, "half-way": len(frames) // 2, "late": len(frames)}[joined]
    clock = SystemClock()
    live = FleetState(clock)
    with served_hub(tmp_path) as hub, peer(zmq.XPUB, hub.addresses.publish) as sender:
        assert sender.poll(5_000)
        for frame in frames[:at]:
            sender.send(frame)
        wait_until(lambda: hub.accepted == at)
        subscriber = Subscriber(hub.addresses.history, clock)
        try:
            for frame in frames[at:]:
                sender.send(frame)
            while not live.finished or live.get_totals()["events_lost"]:
                live.feed(*subscriber.receive(0.1))
        finally:
            subscriber.close()
    assert live.report() == directly(run)
    assert fold_capture(tmp_path / "run.vbus", clock).report() == directly(run)


@given(run=made_runs(finished=True))
def test_from_a_capture_the_report_is_that_of_the_fold(
    tmp_path_factory: pytest.TempPathFactory, run: MadeRun
) -> None:
    path = tmp_path_factory.mktemp("capture") / "run.vbus"
    write_capture(path, run.script.frames(), step_seconds=0.5)
    assert fold_capture(path, SystemClock()).report() == directly(run)


def assert_the_accounts_agree(run: CoordinatedRun) -> None:
    """The coordinator's own account against the fold of what was said on the bus.

    It does not hear a worker start or stop, so it may see another state; and it counts events of its own.
    """
    run.coordinator.publish_depths()
    report = directly(run)
    own = [{**row, "state": ""} for row in run.coordinator.get_gpu_metrics()]
    told = [{**{key: row[key] for key in own[0]}, "state": ""} for row in report["devices"]]
    assert told == own
    assert report["steals"] == run.coordinator.get_recent_steal_events()
    totals = {**run.coordinator.get_totals(), **{key: report["totals"][key] for key in EVENT_FIGURES}}
    assert report["totals"] == totals


@given(run=coordinated_runs())
def test_at_any_moment_the_coordinators_own_account_is_that_of_the_stream(run: CoordinatedRun) -> None:
    assert_the_accounts_agree(run)


def test_at_the_end_the_coordinators_own_account_is_that_of_the_stream() -> None:
    assert_the_accounts_agree(a_run_of_everything())
