"""The worker processes of a run: starts one a device, notices when one dies, ends them.

It is driven by the launcher's loop, one thread; what to work on is the coordinator's decision.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping

import zmq

from virnucpro_bus.clock import NANOSECONDS, Clock
from virnucpro_bus.serve import BusServer
from workers.channel import WorkerConfig
from workers.coordinator import WorkStealingCoordinator
from workers.desk import FAREWELL_SECONDS, Desk
from workers.results import ResultStore
from workers.slots import Slot


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
        clock: Clock,
        warn: Callable[[str], object],
    ) -> None:
        """`warn` is told, in one line, what a user should know."""
        self._server = server
        self._coordinator = coordinator
        self._store = store
        self._job = job
        self._options = dict(options)
        self._clock = clock
        self._warn = warn
        self._slots = [Slot(number, device) for number, device in enumerate(coordinator.devices)]
        self._desk = Desk(server.address("channel"), self._slots, server.hub, coordinator, store, clock, warn)

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

    def turn(self) -> None:
        """Answer what has been asked, see to the dead, restart what is due."""
        self._desk.hear()
        for slot in self._slots:
            self._look_after(slot)
        self._desk.answer()

    def drain(self) -> None:
        """Hand out nothing more; workers end after the file in hand."""
        self._desk.closing = True

    def kill(self) -> None:
        """End all workers now: asked politely, then not."""
        self._desk.closing = True
        for slot in self._slots:
            slot.signal(signal.SIGTERM)
        for slot in self._slots:
            ended = slot.stop(seconds=1.0)
            if ended is not None:
                self._lost(slot, ended)

    def close(self) -> None:
        """End what is left and close the channel. Safe to call twice."""
        self.kill()
        self._desk.close()

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

    def _look_after(self, slot: Slot) -> None:
        """Notice a death; start a worker where one is wanted."""
        if slot.process is not None:
            ended = slot.reap()
            if ended is not None and not (slot.dismissed and slot.assignment is None):
                self._lost(slot, ended)
            elif ended is None and slot.dismissed and self._clock.mono_ns() >= slot.killed_at_ns:
                # A thread that the user's job has left behind, say, would keep the process for ever.
                self._warn(f"{slot.source} did not end by itself in {FAREWELL_SECONDS:.0f} s: killed")
                slot.killed_at_ns += int(FAREWELL_SECONDS * NANOSECONDS)
                slot.signal(signal.SIGKILL)
        elif self._wants_worker(slot):
            self._spawn(slot)

    def _wants_worker(self, slot: Slot) -> bool:
        if self._desk.closing or slot.retired or self._clock.mono_ns() < slot.restart_at_ns:
            return False
        return self._coordinator.unsettled > 0

    def _lost(self, slot: Slot, how: str) -> None:
        """A worker has died: what it held goes back; a device that keeps losing workers is retired."""
        key = slot.device.key
        held = self._coordinator.worker_lost(key, slot.source, slot.epoch, how)
        if slot.output is not None:
            self._store.discard(slot.output)
        slot.assignment = slot.output = slot.waiting = None
        if self._desk.closing:
            return
        doing = "before it had a file" if held is None else f"while it worked on {held.file.id}"
        self._warn(f"{slot.source} ({key}) {how} {doing}")
        if slot.deaths.note(None if held is None else held.file.id):
            slot.retired = True
            self._coordinator.retire(key)
            self._warn(f"{key} is out of use: its workers keep dying")
        slot.restart_at_ns = self._clock.mono_ns() + slot.deaths.delay_ns()
