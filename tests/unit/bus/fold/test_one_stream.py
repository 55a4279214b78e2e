"""One stream, whichever way it comes: in process, over sockets, from a capture. The figures are the same."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Final

import pytest
import zmq
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.support.buses import peer, served_hub, wait_until
from tests.support.driven_coordinator import DEVICES, LATE, CoordinatedRun, coordinated_runs
from tests.support.relays import served_relay
from tests.support.runs import MadeRun, made_runs
from virnucpro_bus.capture.writer import CaptureWriter
from virnucpro_bus.clock import ManualClock, SystemClock
from virnucpro_bus.fold.fleet import FleetState
from virnucpro_bus.fold.report import FleetReport
from virnucpro_bus.hub.hub import Hub
from virnucpro_bus.sources.live import join
from virnucpro_bus.sources.playback import fold_capture

EVENT_FIGURES: Final = ("events_published", "events_received", "events_lost")


def a_run_of_everything() -> CoordinatedRun:
    """Steals, a death with a stolen file in hand, a failure, a device that joins; played to its end."""
    run = CoordinatedRun([9, 8, 7, 6, 5, 4, 3, 2, 1, 1, 1, 1])
    fast, slow, cpu = DEVICES
    for device in (slow, cpu):
        run.take(device)
    run.script.clock.advance(1)
    run.join()
    run.take(LATE)
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
    assert [row["work_stolen_to"] for row in report["devices"] if row["uuid"] == LATE.key] == [1]
    assert report["totals"]["files_failed"] == 1
    assert report["totals"]["files_completed"] == 11


def as_if_now(run: CoordinatedRun | MadeRun) -> CoordinatedRun | MadeRun:
    """The run, moved in time so that its last event has been published just now: live, clocks are compared."""
    script, now, last = run.script, SystemClock(), run.script.envelopes[-1]
    wall_ns, mono_ns = now.wall_ns() - last.wall_ns, now.mono_ns() - last.mono_ns
    script.clock.wall += wall_ns
    script.clock.mono += mono_ns
    script.envelopes[:] = [
        replace(envelope, wall_ns=envelope.wall_ns + wall_ns, mono_ns=envelope.mono_ns + mono_ns)
        for envelope in script.envelopes
    ]
    return run


@contextmanager
def at_the_hub(hub: Hub) -> Iterator[str]:
    yield hub.addresses.history


@contextmanager
def at_a_relay(hub: Hub) -> Iterator[str]:
    with served_relay(hub.capture) as served:
        yield served.address


# Where one can listen: each gives, for a hub, the address to join.
LISTENING = {"at the hub": at_the_hub, "at a relay": at_a_relay}


def everywhere(run: CoordinatedRun | MadeRun, folder: Path, joined_after: int) -> dict[str, FleetReport]:
    """What is reported of the run by who joined it live after so many events, and by its capture afterwards."""
    frames, clock = run.script.frames(), SystemClock()
    reports = {}
    with served_hub(folder) as hub, peer(zmq.XPUB, hub.addresses.publish) as sender, ExitStack() as stack:
        assert sender.poll(5_000)
        for frame in frames[:joined_after]:
            sender.send(frame)
        wait_until(lambda: hub.accepted == joined_after)
        listeners = {
            name: stack.enter_context(closing(join(stack.enter_context(way(hub)), clock)))
            for name, way in LISTENING.items()
        }
        for frame in frames[joined_after:]:
            sender.send(frame)
        for name, listener in listeners.items():
            live = FleetState(clock)
            live.receipt_clock = listener.recorded
            while live.get_totals()["events_received"] < len(frames) or listener.behind:
                live.feed(*listener.receive(0.1))
            # A turn in which nothing comes: clocks are compared in each.
            live.feed(*listener.receive(0.0))
            reports[name] = live.report()
    reports["replayed"] = fold_capture(folder / "run.vbus", clock).report()
    return reports


@pytest.mark.parametrize("joined", ["early", "half-way", "late"])
def test_over_sockets_and_from_the_capture_the_report_is_that_of_the_fold(tmp_path: Path, joined: str) -> None:
    run = as_if_now(a_run_of_everything())
    events = len(run.script.envelopes)
    at = {"early": 0, "half-way": events // 2, "late": events}[joined]
    expected = directly(run)
    assert everywhere(run, tmp_path, at) == dict.fromkeys([*LISTENING, "replayed"], expected)


@st.composite
def runs_with_losses(draw: st.DrawFn) -> MadeRun:
    """Runs that were played to their end, some events of which never arrived."""
    run = draw(made_runs(finished=True))
    first, *others, last = run.script.envelopes
    kept = draw(st.lists(st.integers(0, 9), min_size=len(others), max_size=len(others)))
    arrived = [envelope for envelope, luck in zip(others, kept, strict=True) if luck]
    run.script.envelopes[:] = [first, *arrived, last]
    return run


@given(run=runs_with_losses(), joined=st.floats(0, 1))
def test_live_and_replayed_are_the_same_whatever_the_run_and_whatever_was_lost(
    tmp_path_factory: pytest.TempPathFactory, run: MadeRun, joined: float
) -> None:
    folder = tmp_path_factory.mktemp("bus")
    reports = everywhere(as_if_now(run), folder, int(joined * len(run.script.envelopes)))
    assert reports == dict.fromkeys([*LISTENING, "replayed"], directly(run))


@given(run=made_runs(finished=True))
def test_from_a_capture_the_report_is_that_of_the_fold(
    tmp_path_factory: pytest.TempPathFactory, run: MadeRun
) -> None:
    path = tmp_path_factory.mktemp("capture") / "run.vbus"
    clock = ManualClock()
    with CaptureWriter(path, clock) as writer:
        for envelope, frame in zip(run.script.envelopes, run.script.frames(), strict=True):
            clock.wall, clock.mono = envelope.wall_ns, envelope.mono_ns
            writer.append([frame])
    assert fold_capture(path, SystemClock()).report() == directly(run)


NOT_HEARD = {"state": "", "worker": None}
"""The figures of workers that a coordinator does not know."""


def assert_the_accounts_agree(run: CoordinatedRun) -> None:
    """The coordinator's own account against the fold of what was said on the bus.

    It does not hear a worker start or stop: it knows none, and may see another state. It counts events of its own.
    """
    run.script.clock.advance(1)  # at most four times a second
    run.coordinator.publish_depths()
    report = directly(run)
    own = [{**row, **NOT_HEARD} for row in run.coordinator.get_gpu_metrics()]
    told = [
        {**{key: figure for key, figure in row.items() if key in own[0]}, **NOT_HEARD} for row in report["devices"]
    ]
    assert told == own
    assert report["steals"] == run.coordinator.get_recent_steal_events()
    totals = {**run.coordinator.get_totals(), **{key: report["totals"][key] for key in EVENT_FIGURES}}
    assert report["totals"] == totals
    assert report["effect"] == run.coordinator.get_effect()


@given(run=coordinated_runs())
def test_at_any_moment_the_coordinators_own_account_is_that_of_the_stream(run: CoordinatedRun) -> None:
    assert_the_accounts_agree(run)


def test_at_the_end_the_coordinators_own_account_is_that_of_the_stream() -> None:
    assert_the_accounts_agree(a_run_of_everything())


def test_the_accounts_agree_where_files_are_stolen_while_a_new_worker_loads_and_once_it_is_ready() -> None:
    run = CoordinatedRun([1, 1, 1, 1])
    fast, slow, cpu = DEVICES
    run.take(fast)
    run.complete(fast)
    run.die(fast)
    for device in (slow, cpu):
        run.take(device)
    run.script.clock.advance(1)
    run.join()
    run.take(LATE)
    # Whether the new worker will ever be ready is unknown.
    assert run.coordinator.get_effect()["makespan_without_stealing_seconds"] is None
    assert_the_accounts_agree(run)
    run.take(fast)
    assert run.coordinator.get_effect()["makespan_without_stealing_seconds"] is not None
    assert_the_accounts_agree(run)


def test_the_accounts_agree_where_a_device_is_given_no_more_files() -> None:
    """What is expected of the run depends on who takes part in the rest of it."""
    run = CoordinatedRun([40, 30, 20, 19, 18, 17, 16, 15, 14])
    fast, slow, bad = DEVICES
    for device in (fast, slow):
        run.take(device)
        run.script.clock.advance(2)
        run.complete(device)
    for _ in range(3):
        run.take(bad)
        run.die(bad)
    assert run.coordinator.is_retired(bad.key)
    run.take(fast)
    assert run.coordinator.get_effect()["makespan_expected_seconds"] is not None
    assert_the_accounts_agree(run)
