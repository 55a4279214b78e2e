"""The worker processes of a run: starts one a device, notices when one dies, ends them.

It is driven by the launcher's loop, one thread; what to work on is the coordinator's decision.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping
from time import sleep

import zmq

from virnucpro_bus.clock import NANOSECONDS, Clock
from virnucpro_bus.hub.bus_server import BusServer
from workers.commit.result_store import ResultStore
from workers.coordinator.coordinator import WorkStealingCoordinator
from workers.pool.dispatcher import FAREWELL_SECONDS, Dispatcher
from workers.pool.orphan_guard import OrphanGuard
from workers.pool.slot import TERM_SECONDS, Slot
from workers.pool.watchdog import Limits, Watchdog
from workers.protocol import WorkerConfig
from workers.schedule.blame import Loss

UNKILLABLE_SECONDS = 5.0
_LOOK_SECONDS = 0.01


class WorkerPool:
    """One thread owns it."""

    def __init__(
        self,
        server: BusServer,
        coordinator: WorkStealingCoordinator,
        store: ResultStore,
        *,
        job: str,
        options: Mapping[str, str],
        limits: Limits,
        clock: Clock,
        warn: Callable[[str], object],
        last_epoch: int = 0,
    ) -> None:
        """`warn` is told, in one line, what a user should know. `last_epoch`: the workers' come after it."""
        self._server = server
        self._coordinator = coordinator
        self._store = store
        self._job = job
        self._options = dict(options)
        self._clock = clock
        self._warn = warn
        self._slots = [Slot(number, device, last_epoch) for number, device in enumerate(coordinator.devices)]
        self._watch = Watchdog(limits, clock, server.hub.events_from)
        self._guard = OrphanGuard()
        self._desk = Dispatcher(
            server.address("channel"), self._slots, server.hub, coordinator, store, clock, warn
        )

    @property
    def socket(self) -> zmq.Socket[bytes]:
        """To be polled for input before `turn`."""
        return self._desk.socket

    @property
    def unable(self) -> str | None:
        """Why the job can be run on no device at all; None as long as it can."""
        return self._desk.unable

    @property
    def running(self) -> bool:
        """Whether any worker process is still there."""
        return any(slot.process is not None for slot in self._slots)

    @property
    def given_up(self) -> bool:
        """Whether nothing more will be handed out."""
        return self._desk.closing

    def start(self) -> None:
        """Start every device's worker."""
        for slot in self._slots:
            self._spawn(slot)

    def poll(self) -> None:
        """Answer what has been asked, see to the dead, restart what is due."""
        self._desk.receive()
        self._watch.poll()
        for slot in self._slots:
            self._look_after(slot)
        self._desk.reply()

    def drain(self) -> None:
        """Hand out nothing more; workers end after the file in hand."""
        self._desk.closing = True

    def kill(self) -> None:
        """End all workers now: asked politely, then not. Takes 1 s, or 5 s more where the kernel holds one."""
        self._desk.closing = True
        now_ns = self._clock.mono_ns()
        for slot in self._slots:
            slot.end(Loss.STOPPED, "was ended with the run", now_ns)
        give_up_ns = now_ns + int((TERM_SECONDS + UNKILLABLE_SECONDS) * NANOSECONDS)
        while self.running and self._clock.mono_ns() < give_up_ns:
            for slot in self._slots:
                self._look_after(slot)
            sleep(_LOOK_SECONDS)

    def close(self) -> None:
        """End what is left and close the channel. Safe to call twice."""
        self.kill()
        self._desk.close()
        if not self.running:
            self._guard.close()

    # Processes.

    def _spawn(self, slot: Slot) -> None:
        device = slot.device
        config = WorkerConfig(
            slot=slot.number,
            token=self._desk.token,
            channel=self._desk.address,
            publish=self._server.hub.addresses.publish,
            run=self._server.run,
            source=slot.source,
            epoch=slot.epoch + 1,
            device_key=device.key,
            device_name=device.name,
            device_index=device.index,
            job=self._job,
            options=self._options,
        )
        slot.spawn(config, self._server.log_path(slot.source))
        if slot.process is not None:
            self._guard.watch(slot.process.pid)

    def _look_after(self, slot: Slot) -> None:
        """Notice a death; end who is to be ended; start a worker where one is wanted."""
        if slot.process is None:
            if self._wants_worker(slot):
                self._spawn(slot)
            return
        group = slot.process.pid
        ended = slot.reap()
        if ended is None:
            self._see_to(slot)
            return
        self._guard.forget(group)
        if not (slot.dismissed and slot.assignment is None):
            self._lost(slot, ended)

    def _see_to(self, slot: Slot) -> None:
        """What is to be done with a process that is there."""
        now_ns = self._clock.mono_ns()
        slot.insist(now_ns)
        if slot.dismissed:
            if now_ns >= slot.killed_at_ns:
                # A thread that the user's job has left behind, say, would keep the process for ever.
                self._warn(f"{slot.source} did not end by itself in {FAREWELL_SECONDS:.0f} s: killed")
                slot.killed_at_ns += int(FAREWELL_SECONDS * NANOSECONDS)
                slot.signal(signal.SIGKILL)
        elif (verdict := self._watch.check(slot)) is not None:
            slot.end(*verdict, now_ns)

    def _wants_worker(self, slot: Slot) -> bool:
        if self._desk.closing or slot.retired or self._clock.mono_ns() < slot.restart_at_ns:
            return False
        return self._coordinator.unsettled > 0

    def _lost(self, slot: Slot, how: str) -> None:
        """A worker is no more: what it held goes back; a device that keeps losing workers is retired."""
        key, ending, loss = slot.device.key, slot.ending, Loss.DIED
        if ending is not None:
            # Where it has been given another file while it was being ended, that one is not to blame.
            loss = ending.loss if ending.output == slot.output else Loss.STOPPED
            how = ending.reason
        held = self._coordinator.worker_lost(key, slot.source, slot.epoch, how, loss)
        if slot.output is not None:
            self._store.discard(slot.output)
        slot.assignment = slot.output = slot.waiting = None
        if loss is Loss.STOPPED:
            return
        doing = "before it had a file" if held is None else f"while it worked on {held.file.id}"
        self._warn(f"{slot.source} ({key}) {how} {doing}")
        if loss is Loss.DIED:
            if slot.deaths.note(with_file=held is not None):
                self._coordinator.retire(key)
            slot.restart_at_ns = self._clock.mono_ns() + slot.deaths.delay_ns()
        if self._coordinator.is_retired(key) and not slot.retired:
            slot.retired = True
            self._warn(f"{key} is out of use: its workers keep dying")
