"""The worker processes of a run: started one for each device, restarted when they die, ended with the run.

The pool is the executor of a run on this machine. The launcher's loop drives it, and the desk serves its workers.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from time import sleep

import zmq

from virnucpro_bus.system.cores import usable_cores
from workers.desk.desk import Desk
from workers.desk.executor import Workplace
from workers.desk.watchdog import Watchdog
from workers.pool.dispatcher import DISMISSAL_SECONDS, Dispatcher
from workers.pool.guard_process import OrphanGuard
from workers.pool.slot import Slot
from workers.pool.zygote import Zygote
from workers.schedule.blame import Loss

FAILED_STARTS_UNTIL_END = 5
"""So often in a row, over 4 s, the system refuses a worker on every device before the run ends."""
LOAD_SECONDS = 1.0
"""How long `start` waits for the zygote. One that takes longer, on a slow disk, does not block the loop."""
_POLL_SECONDS = 0.01


class WorkerPool:
    """Starts, supervises and ends the worker processes of a run. For one thread."""

    def __init__(self, workplace: Workplace, zygote: Zygote | None = None) -> None:
        """Open the channel to the workers. Raises zmq.ZMQError.

        `zygote` is one that may have been started before, which the pool closes; None: the pool makes one.
        """
        self._server = workplace.server
        self._coordinator = workplace.coordinator
        self._workplace = workplace
        self._clock = workplace.clock
        self._warn = workplace.warn
        self._slots = [
            Slot(number, device, workplace.last_epoch)
            for number, device in enumerate(workplace.coordinator.devices)
        ]
        self._threads = max(1, usable_cores(os.environ).number // len(self._slots))
        """Of each worker."""
        self._watchdog = Watchdog(workplace.limits, self._clock, self._server.hub.events_from)
        self._zygote = zygote or Zygote()
        self._guard = OrphanGuard(self._warn)
        self.desk = Desk(workplace, self._slots)
        """Where the workers get their files."""
        self._dispatcher = Dispatcher(self._server.address("channel"), self._slots, self.desk, self._clock)

    @property
    def sockets(self) -> list[zmq.Socket[bytes] | int]:
        """The channel's socket, to wait on for input before `poll`."""
        return [self._dispatcher.socket]

    @property
    def running(self) -> bool:
        """Whether a worker process is still running."""
        return any(slot.process is not None for slot in self._slots)

    def start(self) -> None:
        """Start every device's worker, or leave that to `poll` while the journal cannot be written."""
        with suppress(OSError):  # which the first worker to be forked reports
            self._zygote.is_ready(LOAD_SECONDS)
        for slot in self._slots:
            self._supervise(slot)

    def poll(self) -> None:
        """Process the workers' requests, handle deaths, and start the workers that are due."""
        self._dispatcher.receive()
        self.desk.recall()
        self._watchdog.poll()
        for slot in self._slots:
            self._supervise(slot)
        self._dispatcher.reply()
        self.desk.tidy()

    def drain(self) -> None:
        """Hand out no more files: each worker ends after its current file, and at once while it loads the job."""
        self.desk.closing = True
        self.desk.recall()  # before anybody is told that only the files in progress are finished
        self._end([slot for slot in self._slots if not slot.peer])

    def kill(self) -> None:
        """Begin to end all workers; `poll` continues that: SIGTERM, 1 s later SIGKILL, 5 s later none is left."""
        self.desk.closing = True
        self._end(self._slots)

    def close(self) -> None:
        """End all workers, within 6 s, and close the channel. Safe to call twice."""
        self.kill()
        while self.running:
            for slot in self._slots:
                self._supervise(slot)
            sleep(_POLL_SECONDS)
        self._dispatcher.close()
        self._zygote.close()
        self._guard.close()

    def _end(self, slots: Iterable[Slot]) -> None:
        now_ns = self._clock.mono_ns()
        for slot in slots:
            slot.end(Loss.STOPPED, "was ended with the run", now_ns)

    def _spawn(self, slot: Slot) -> None:
        config = self._workplace.next_config(
            slot,
            token=self._dispatcher.token,
            channel=self._dispatcher.address,
            publish=self._server.worker_address,
        )
        try:
            if self._zygote.is_ready():
                slot.spawn(config, self._server.log_path(slot.source), self._threads, self._zygote.fork_worker)
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
            self.desk.stop(f"no worker can be started: {reason}")

    def _supervise(self, slot: Slot) -> None:
        """Handle the death of the slot's worker, end it if it must end, or start the one that is due."""
        if slot.process is not None:
            group = slot.process.pid
            how = slot.reap()
            if how is None:
                self._supervise_running(slot)
                return
            self._guard.forget(group)
            if not (slot.dismissed and slot.assignment is None):
                self._handle_death(slot, how)
        if self._wants_worker(slot):
            self._spawn(slot)

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
        elif (verdict := self._check(slot)) is not None:
            slot.end(*verdict, now_ns)

    def _check(self, slot: Slot) -> tuple[Loss, str] | None:
        # A worker whose request is pending has finished what it works on, as far as is known.
        return self._watchdog.check(slot, is_loaded=bool(slot.peer), is_waiting=slot.pending is not None)

    def _wants_worker(self, slot: Slot) -> bool:
        if self.desk.closing or slot.retired or self._clock.mono_ns() < slot.restart_at_ns:
            return False
        # What the journal records of a worker can only be understood with the plan.
        return self._coordinator.unsettled > 0 and self.desk.can_commit()

    def _give_up(self, slot: Slot) -> None:
        """Continue without a process that cannot be killed, and without its device."""
        key = slot.device.key
        self.desk.retire(slot, f"process {slot.give_up()} on {key} cannot be killed: it hangs inside the kernel")
        if not (slot.dismissed and slot.assignment is None):
            self._handle_death(slot, "cannot be killed")

    def _handle_death(self, slot: Slot, how: str) -> None:
        """Return the worker's file to the desk, and decide when the device gets its next worker."""
        ending, loss = slot.ending, Loss.KILLED if slot.was_killed else Loss.DIED
        if ending is not None:
            # A file that was assigned to it while it was being ended is not to blame.
            loss = ending.loss if slot.holds(ending.output) else Loss.STOPPED
            how = ending.reason
        slot.pending = None
        overdue = None if ending is None or loss is not Loss.TIMED_OUT else ending.output
        if self.desk.lose(slot, how, loss, overdue).is_death:
            slot.restart_at_ns = self._clock.mono_ns() + slot.deaths.delay_ns()
