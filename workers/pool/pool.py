"""The worker processes of a run: started one for each device, restarted when they die, ended with the run.

The launcher's loop drives the pool. The coordinator decides which file a worker gets.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from time import sleep

import zmq

from virnucpro_bus.clock import Clock
from virnucpro_bus.hub.bus_server import BusServer
from virnucpro_bus.system.cores import usable_cores
from virnucpro_bus.text import visible
from workers.commit.result_store import ResultStore
from workers.coordinator.coordinator import WorkStealingCoordinator
from workers.pool.dispatcher import DISMISSAL_SECONDS, Dispatcher
from workers.pool.orphan_guard import OrphanGuard
from workers.pool.slot import Slot
from workers.pool.watchdog import Limits, Watchdog
from workers.protocol import WorkerConfig
from workers.schedule.blame import Loss

FAILED_STARTS_UNTIL_END = 5
"""So often in a row, over 4 s, the system refuses a worker on every device before the run ends."""
_POLL_SECONDS = 0.01


class WorkerPool:
    """Starts, supervises and ends the worker processes of a run. For one thread."""

    def __init__(
        self,
        server: BusServer,
        coordinator: WorkStealingCoordinator,
        store: ResultStore,
        *,
        job: str,
        options: Mapping[str, str],
        target: str | None = None,
        limits: Limits,
        clock: Clock,
        warn: Callable[[str], object],
        last_epoch: int = 0,
    ) -> None:
        """`target` is what the name `job` stands for, as in WorkerConfig.

        `warn` is called with each message for the user, in one line. Epochs begin after `last_epoch`.
        """
        self._server = server
        self._coordinator = coordinator
        self._store = store
        self._job = job
        self._options = dict(options)
        self._target = target
        self._clock = clock
        self._warn = warn
        self._slots = [Slot(number, device, last_epoch) for number, device in enumerate(coordinator.devices)]
        self._threads = max(1, usable_cores(os.environ).number // len(self._slots))
        """Of each worker."""
        self._watchdog = Watchdog(limits, clock, server.hub.events_from)
        self._guard = OrphanGuard()
        self._dispatcher = Dispatcher(
            server.address("channel"), self._slots, server.hub, coordinator, store, clock, warn
        )

    @property
    def socket(self) -> zmq.Socket[bytes]:
        """The channel's socket, to wait on for input before `poll`."""
        return self._dispatcher.socket

    @property
    def unable(self) -> str | None:
        """Why the job can run on none of the devices; None while it can run on one."""
        return self._dispatcher.unable

    @property
    def failed_start(self) -> str | None:
        """Why the run ends before it has handed out a file; None if it has, or does not end early."""
        return self._dispatcher.failed_start

    @property
    def running(self) -> bool:
        """Whether a worker process is still running."""
        return any(slot.process is not None for slot in self._slots)

    @property
    def closing(self) -> bool:
        """Whether no more files are handed out."""
        return self._dispatcher.closing

    def start(self) -> None:
        """Start every device's worker, or leave that to `poll` while the journal cannot be written."""
        if self._guard.problem is not None:
            self._warn(f"{self._guard.problem}; what a job has started may outlive a launcher that is killed")
        for slot in self._slots:
            self._supervise(slot)

    def poll(self) -> None:
        """Process the workers' requests, handle deaths, and start the workers that are due."""
        self._dispatcher.receive()
        self._watchdog.poll()
        for slot in self._slots:
            self._supervise(slot)
        self._dispatcher.reply()

    def drain(self) -> None:
        """Hand out no more files: each worker ends after its current file, and at once while it loads the job."""
        self._dispatcher.closing = True
        self._end([slot for slot in self._slots if not slot.peer])

    def kill(self) -> None:
        """Begin to end all workers; `poll` continues that: SIGTERM, 1 s later SIGKILL, 5 s later none is left."""
        self._dispatcher.closing = True
        self._end(self._slots)

    def close(self) -> None:
        """End all workers, within 6 s, and close the channel. Safe to call twice."""
        self.kill()
        while self.running:
            for slot in self._slots:
                self._supervise(slot)
            sleep(_POLL_SECONDS)
        self._dispatcher.close()
        self._guard.close()

    def _end(self, slots: Iterable[Slot]) -> None:
        now_ns = self._clock.mono_ns()
        for slot in slots:
            slot.end(Loss.STOPPED, "was ended with the run", now_ns)

    def _spawn(self, slot: Slot) -> None:
        device = slot.device
        config = WorkerConfig(
            slot=slot.number,
            token=self._dispatcher.token,
            channel=self._dispatcher.address,
            publish=self._server.worker_address,
            run=self._server.run,
            host=self._server.host,
            source=slot.source,
            epoch=slot.epoch + 1,
            device_key=device.key,
            device_name=device.name,
            device_index=device.index,
            device_label=device.label,
            job=self._job,
            options=self._options,
            target=self._target,
        )
        try:
            slot.spawn(config, self._server.log_path(slot.source), self._threads)
        except OSError as error:
            self._handle_failed_start(slot, error.strerror or str(error))
        if slot.process is not None:
            self._guard.watch(slot.process.pid, slot.mark)

    def _handle_failed_start(self, slot: Slot, reason: str) -> None:
        """Try again later; end the run early if the system starts no worker. No file or device is to blame."""
        slot.note_failed_start(self._clock.mono_ns())
        if slot.failed_starts == 1:
            self._warn(f"{slot.device.key}: its worker cannot be started, and is tried again: {reason}")
        in_use = [each for each in self._slots if not each.retired]
        if not self.running and all(each.failed_starts >= FAILED_STARTS_UNTIL_END for each in in_use):
            self._dispatcher.stop(f"no worker can be started: {reason}")

    def _supervise(self, slot: Slot) -> None:
        """Start the slot's worker if one is due, handle its death, or end it if it must end."""
        if slot.process is None:
            if self._wants_worker(slot):
                self._spawn(slot)
            return
        group = slot.process.pid
        how = slot.reap()
        if how is None:
            self._supervise_running(slot)
            return
        self._guard.forget(group)
        if not (slot.dismissed and slot.assignment is None):
            self._handle_death(slot, how)

    def _supervise_running(self, slot: Slot) -> None:
        """Kill the process if its time to end is over; begin to end it if it must end."""
        now_ns = self._clock.mono_ns()
        slot.kill_if_due(now_ns)
        if slot.is_unkillable(now_ns):
            self._give_up(slot)
        elif slot.dismissed:
            if now_ns >= slot.dismissal_ends_ns and slot.ending is None:
                # A thread that the user's job has left running, for example, would keep the process forever.
                self._warn(f"{slot.source} did not exit within {DISMISSAL_SECONDS:.0f} s of its last file: ended")
                slot.end(Loss.STOPPED, "was ended after its last file", now_ns)
        elif (verdict := self._watchdog.check(slot)) is not None:
            slot.end(*verdict, now_ns)

    def _wants_worker(self, slot: Slot) -> bool:
        if self._dispatcher.closing or slot.retired or self._clock.mono_ns() < slot.restart_at_ns:
            return False
        # What the journal records of a worker can only be understood with the plan.
        return self._coordinator.unsettled > 0 and self._dispatcher.can_commit()

    def _give_up(self, slot: Slot) -> None:
        """Continue without a process that cannot be killed, and without its device."""
        key = slot.device.key
        problem = f"process {slot.give_up()} on {key} cannot be killed: it hangs inside the kernel"
        self._warn(f"{problem}; {key} is retired")
        if all(each.retired for each in self._slots):
            self._dispatcher.stop(problem)
        elif not self.closing:
            self._coordinator.retire(key)
        if not (slot.dismissed and slot.assignment is None):
            self._handle_death(slot, "cannot be killed")

    def _handle_death(self, slot: Slot, how: str) -> None:
        """Return the worker's file to the coordinator; retire a device whose workers keep dying."""
        key, ending, loss = slot.device.key, slot.ending, Loss.DIED
        if ending is not None:
            # A file that was assigned to it while it was being ended is not to blame.
            loss = ending.loss if ending.output == slot.output else Loss.STOPPED
            how = ending.reason
        if loss is Loss.DIED and self._is_of_every_file():
            loss = Loss.STOPPED
        held = self._coordinator.worker_lost(key, slot.source, slot.epoch, how, loss)
        if slot.output is not None:
            self._store.discard(slot.output)
        slot.assignment = slot.output = slot.pending = None
        if loss is Loss.STOPPED:
            return
        when = "before it had a file" if held is None else f"while it worked on {held.file.id}"
        self._warn(f"{slot.source} ({key}) {how} {when}")
        if loss is Loss.DIED:
            if slot.deaths.note(with_file=held is not None):
                self._retire(slot, how)
            slot.restart_at_ns = self._clock.mono_ns() + slot.deaths.delay_ns()
        if self._coordinator.is_retired(key) and not slot.retired:
            slot.retired = True
            self._warn(f"{key} is retired: its workers keep dying")

    def _retire(self, slot: Slot, how: str) -> None:
        """Retire a device whose workers die before they have a file; the last one ends the run."""
        if any(not each.retired for each in self._slots if each is not slot):
            self._coordinator.retire(slot.device.key)
            return
        slot.retired = True
        log = self._server.log_path(slot.source)
        # An empty log is removed at the end.
        hint = f"; see {visible(str(log))}" if log.exists() and log.stat().st_size else ""
        self._dispatcher.stop(f"no device is left: the last worker {how} before it had a file{hint}")

    def _is_of_every_file(self) -> bool:
        """Whether a worker has died of what ends the run, and not of its file or device.

        A full disk kills a program that writes through memory, for example. Others die with it, and the first to
        be reaped leaves some room.
        """
        if not self._dispatcher.stopped and (problem := self._store.problem()) is not None:
            self._dispatcher.stop(problem)
        return self._dispatcher.stopped
