"""The pool with small real processes in the workers' place, which never ask for a file."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import ClassVar

import pytest
import zmq

from tests.support.plans import input_files
from virnucpro_bus.clock import ManualClock
from virnucpro_bus.events.vocabulary import Device
from virnucpro_bus.hub.bus_server import BusServer, HubSink
from virnucpro_bus.system.child_process import spawn_logged
from workers.commit.result_store import ResultStore
from workers.coordinator.coordinator import WorkStealingCoordinator
from workers.desk.executor import Workplace
from workers.desk.limits import Limits
from workers.desk.watchdog import LOADING_FACTOR
from workers.pool import pool as pool_module
from workers.pool import slot as slot_module
from workers.pool.orphan_guard import kill_marked
from workers.pool.pool import WorkerPool
from workers.pool.slot import TERM_SECONDS, UNKILLABLE_SECONDS, Slot
from workers.pool.zygote import WorkerProcess, Zygote
from workers.protocol import Request, encode_request

HANG_SECONDS = 0.2
STEP_SECONDS = 0.05


class TickingClock(ManualClock):
    """Advances with every reading, as time does for one who waits."""

    def mono_ns(self) -> int:
        self.advance(STEP_SECONDS)
        return super().mono_ns()


class StandIn(Zygote):
    """Starts processes that sleep in the workers' place."""

    refused: ClassVar[set[str]] = set()
    """What the log is called of those that the system refuses to start, as with `ulimit -u`."""

    def is_ready(self, wait_seconds: float = 0) -> bool:
        return True

    def fork_worker(self, environment: Mapping[str, str], log: Path) -> WorkerProcess:
        if log.stem in self.refused:
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        return spawn_logged(["sleep", "600"], log, environment=environment, stdin=subprocess.PIPE)


class Pool:
    def __init__(self, server: BusServer, devices: int) -> None:
        self.clock = TickingClock()
        self.warnings: list[str] = []
        self.coordinator = WorkStealingCoordinator(
            [Device(f"cpu:{number}", "CPU", number) for number in range(devices)],
            input_files([1, 2, 3]),
            sink=HubSink(server, self.clock),
            clock=self.clock,
        )
        store = ResultStore(server.run_dir)
        store.prepare()
        self.pool = WorkerPool(
            Workplace(
                *(server, self.coordinator, store),
                job="",
                options={},
                limits=Limits(HANG_SECONDS),
                clock=self.clock,
                warn=self.warnings.append,
            )
        )
        self.coordinator.start()

    def poll_seconds(self, seconds: float) -> None:
        end_ns = self.clock.mono + seconds * 1e9
        while self.clock.mono < end_ns:
            self.pool.poll()

    def poll_until_it_warns(self, part: str) -> str:
        """Return the first warning that has `part` in it."""
        while not (found := [warning for warning in self.warnings if part in warning]):
            self.pool.poll()
        return found[0]


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[int], Pool]]:
    """Makes a pool for so many devices, whose workers are processes that sleep."""

    monkeypatch.setattr(pool_module, "Zygote", StandIn)
    made: list[Pool] = []
    with BusServer(tmp_path, TickingClock()) as server:

        def make(devices: int) -> Pool:
            made.append(Pool(server, devices))
            return made[-1]

        yield make
        for each in made:
            each.pool.close()


@pytest.fixture(autouse=True)
def signal_and_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes a signal take effect before the clock advances, which is much faster than time."""
    signal_slot = Slot.signal

    def send(slot: Slot, number: signal.Signals) -> None:
        signal_slot(slot, number)
        if slot.process is not None:
            os.waitid(os.P_PID, slot.process.pid, os.WEXITED | os.WNOWAIT)

    monkeypatch.setattr(Slot, "signal", send)


@pytest.fixture
def unkillable(monkeypatch: pytest.MonkeyPatch, signal_and_wait: None) -> Iterator[None]:
    """Makes the process of slot 0 one that no signal reaches, as if it hung in a driver."""
    signal_slot = Slot.signal
    slots: list[Slot] = []

    def send(slot: Slot, number: signal.Signals) -> None:
        if slot.number == 0:
            slots.append(slot)
        else:
            signal_slot(slot, number)

    def kill_others(mark: str) -> None:
        if all(slot.mark != mark for slot in slots):
            kill_marked(mark)

    monkeypatch.setattr(Slot, "signal", send)
    monkeypatch.setattr(slot_module, "kill_marked", kill_others)
    yield
    for slot in slots:
        for process in (slot.process, slot.unkillable):
            if process is not None:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
        if slot.unkillable is not None:
            slot.unkillable.wait()


def test_the_end_of_a_run_waits_for_no_process_that_cannot_be_killed(
    make: Callable[[int], Pool], unkillable: None
) -> None:
    made = make(2)
    made.pool.start()
    begun_ns = made.clock.mono
    made.pool.kill()
    warning = made.poll_until_it_warns("on cpu:0 cannot be killed")
    assert (made.clock.mono - begun_ns) / 1e9 < TERM_SECONDS + UNKILLABLE_SECONDS + 2
    assert warning.startswith("process ")
    assert warning.endswith(" on cpu:0 cannot be killed: it hangs inside the kernel; cpu:0 is retired")
    made.pool.close()
    assert not made.pool.running
    assert made.coordinator.get_totals()["files_failed"] == 0


def test_a_run_continues_without_a_process_that_cannot_be_killed_and_without_its_device(
    make: Callable[[int], Pool], unkillable: None
) -> None:
    made = make(2)
    made.pool.start()
    made.poll_until_it_warns("cannot be killed")
    assert (made.coordinator.is_retired("cpu:0"), made.pool.desk.closing) == (True, False)
    assert made.coordinator.unsettled == 3


def test_a_run_ends_early_when_the_process_on_its_last_device_cannot_be_killed(
    make: Callable[[int], Pool], unkillable: None
) -> None:
    made = make(1)
    made.pool.start()
    warning = made.poll_until_it_warns("cannot be killed")
    made.pool.poll()
    assert made.pool.desk.failed_start is not None
    assert made.pool.desk.failed_start in warning
    assert (made.pool.desk.closing, made.pool.running) == (True, False)
    assert made.coordinator.unsettled == 3


def test_a_worker_that_hangs_while_it_loads_is_ended_and_started_again(make: Callable[[int], Pool]) -> None:
    made = make(1)
    made.pool.start()
    made.poll_until_it_warns("hung: no sign of life")
    made.poll_seconds(HANG_SECONDS * LOADING_FACTOR / 2)
    assert made.pool.running


def test_a_run_continues_without_a_worker_that_cannot_be_started_and_tries_again(
    make: Callable[[int], Pool], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(StandIn, "refused", {"worker-0"})
    made = make(2)
    made.pool.start()
    made.poll_seconds(1)
    reason = "Resource temporarily unavailable"
    assert made.warnings == [f"cpu:0: its worker cannot be started, and is tried again: {reason}"]
    assert (made.pool.desk.closing, made.coordinator.is_retired("cpu:0")) == (False, False)
    StandIn.refused.clear()
    made.poll_seconds(1)
    assert [slot.failed_starts for slot in made.pool._slots] == [0, 0]


def test_a_run_in_which_no_worker_can_be_started_ends_early_and_charges_no_file(
    make: Callable[[int], Pool], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = make(2)
    monkeypatch.setattr(StandIn, "refused", {"worker-0", "worker-1"})
    made.pool.start()
    while made.pool.desk.failed_start is None or not made.pool.desk.closing:
        made.pool.poll()
    assert made.pool.desk.failed_start == "no worker can be started: Resource temporarily unavailable"
    assert (made.pool.desk.closing, made.pool.running, made.coordinator.unsettled) == (True, False, 3)
    assert made.coordinator.get_totals()["files_failed"] == 0


def kill(slot: Slot) -> None:
    """Kill the slot's worker, and wait until it has ended."""
    assert slot.process is not None
    slot.signal(signal.SIGKILL)
    os.waitid(os.P_PID, slot.process.pid, os.WEXITED | os.WNOWAIT)


def test_the_turn_that_finds_a_worker_dead_starts_the_next_one(make: Callable[[int], Pool]) -> None:
    made = make(1)
    made.pool.start()
    (slot,) = made.pool._slots
    first = slot.process
    kill(slot)
    made.pool.poll()
    assert slot.process not in (None, first)


def test_a_request_that_arrives_after_its_worker_has_ended_is_not_answered(make: Callable[[int], Pool]) -> None:
    made = make(1)
    made.pool.start()
    slot, dispatcher = made.pool._slots[0], made.pool._dispatcher
    slot.deaths.deaths = 9  # so the next worker is not started at once
    kill(slot)
    made.pool.poll()
    with zmq.Context() as context, context.socket(zmq.DEALER) as worker:
        worker.connect(dispatcher.address)
        worker.send(encode_request(Request(dispatcher.token, slot.number, slot.epoch, 1)))
        dispatcher.socket.poll()
        made.pool.poll()
        assert (slot.pending, slot.assignment) == (None, None)


def test_an_interrupted_run_waits_for_no_worker_that_still_loads_the_job(make: Callable[[int], Pool]) -> None:
    made = make(2)
    made.pool.start()
    loaded = made.pool._slots[1]
    loaded.peer = b"peer"
    made.pool.drain()
    made.pool.poll()
    assert [slot.process is not None for slot in made.pool._slots] == [False, True]
    assert made.warnings == []
    assert made.coordinator.unsettled == 3
