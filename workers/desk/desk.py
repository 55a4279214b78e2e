"""The desk of a run: hands out files, has committed what workers report, and takes back what they lose.

It knows nothing of processes and messages: an executor calls it for the workers that it runs.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress

from virnucpro_bus.clock import NANOSECONDS
from virnucpro_bus.logs.find import log_hint, log_of
from virnucpro_bus.logs.shorten import shorten_log
from virnucpro_bus.text import visible
from workers.commit.committer import Committer
from workers.coordinator.assignment import Assignment, PendingFile
from workers.desk.executor import Workplace
from workers.desk.first_failures import FirstFailures
from workers.desk.halt import Halt, When
from workers.desk.reports import Reports
from workers.desk.seat import HeldFile, Seat
from workers.protocol import Answer, Settled, Task, Unable, to_bytes
from workers.schedule.ahead import SHORT_SECONDS
from workers.schedule.blame import Loss


class Desk:
    """Serves the workers at the seats of a run. For one thread."""

    def __init__(self, workplace: Workplace, seats: Sequence[Seat]) -> None:
        """`seats` is the executor's own list: a seat that it adds later counts from then on."""
        self.closing = False
        """Whether no more files are handed out."""
        self.unable: str | None = None
        """Why the job can run on none of the devices; None while it can run on one."""
        self.halted: Halt | None = None
        """The user's condition for which the run ends early; None: it does not, or for another reason."""
        self._server = workplace.server
        self._coordinator = workplace.coordinator
        self._store = workplace.store
        self._warn = workplace.warn
        self._clock = workplace.clock
        self._seats = seats
        self._committer = Committer(self._store, self._server.hub, self._coordinator)
        self._halt = workplace.halt
        self._total = self._coordinator.unsettled
        """How many files the session begins with."""
        tries_all = self._halt is not None and self._halt.when is When.NEVER
        self._first = FirstFailures(is_over=tries_all or self._coordinator.done_before > 0)
        if not self._coordinator.decides:
            self._first.begin_shortest(None)  # the order of files is not ours
        self._reports = Reports(workplace, seats, self._committer, self._first)
        self._has_leased = False
        """Whether a file was handed out."""
        self._paused = False
        self._unable_warnings: list[str] = []

    @property
    def is_over(self) -> bool:
        """Whether no file will be handed out any more, not even one that another worker may lose."""
        return self.closing or self._coordinator.unsettled == 0

    @property
    def ends_at_once(self) -> bool:
        """Whether the files in progress are to be stopped, because the user has demanded that."""
        return self.halted is not None and self.halted.when is When.NOW

    @property
    def stop_reason(self) -> str | None:
        """Why the run ends early, without a signal; None if it does not."""
        return self.unable or self._committer.stop_reason

    @property
    def failed_start(self) -> str | None:
        """Why the run ends before it has handed out a file; None if it has, or does not end early."""
        return None if self._has_leased else self._committer.stop_reason

    def stop(self, reason: str) -> None:
        """End the run early, without charging any file; a warning with the first reason follows."""
        self._committer.stop(reason)

    def can_commit(self) -> bool:
        """Whether results can be committed now: the journal holds the plan, and can be written.

        While they cannot, the run pauses; if they no longer can, it ends. A warning reports either, once. The run
        ends as well if the user has demanded that for what has become of the files so far.
        """
        ready = self._committer.ready()
        if self._halt is not None and not self.closing:
            self._check_halt(self._halt)
        stop_reason = self._committer.stop_reason
        if stop_reason is not None and not self.closing:
            self.closing = True
            if self._has_leased:
                hint = "to continue it, give the same command with --resume"
                if self._first.is_decided:
                    hint += ", and with --halt never to try all files in any case"
                self._warn(f"the run ends early: {stop_reason}; {hint}")
        elif not ready and not self._paused and not self.closing:
            self._warn("the run pauses: it continues when the capture, which is its journal, can be written again")
        self._paused = not ready
        return ready

    def _check_halt(self, halt: Halt) -> None:
        """End the run early if the user's condition is met and files are left."""
        unsettled, completed = self._coordinator.unsettled, self._reports.completed
        reason = halt.reason(completed, self._total - unsettled - completed, self._total)
        if reason is not None and unsettled and self._committer.stop_reason is None:
            self.halted = halt
            self.stop(reason)

    # What a worker reports.

    def report(self, seat: Seat, settled: Sequence[Settled], unable: Unable | None = None) -> None:
        """Take what a worker reports of the files that it holds, the first ones in order. `commit` is to follow.

        The seat's `refusals` say which were refused, and why, once it `is_committing` no more. A completed attempt
        is accepted or refused by `commit`.
        """
        if unable is not None:
            self._report_unable(seat, unable)
        else:
            seat.deaths.note_loaded()
        self._reports.take(seat, settled)

    def is_committing(self, seat: Seat) -> bool:
        """Whether what the worker has reported could not be committed yet, so that it gets no answer."""
        return bool(seat.finished)

    def commit(self) -> None:
        """Commit the finished attempts; at the end of a run even if the journal cannot be written."""
        while self._reports.has_finished and (self.can_commit() or self.closing):
            self._reports.commit()

    def tidy(self) -> None:
        """Remove what committed attempts have left; to be called when the workers have their answers."""
        self._committer.tidy()

    def _report_unable(self, seat: Seat, unable: Unable) -> None:
        """Retire a device on which the job does not load. The run ends only if it loads on none."""
        if unable.disk_full:
            self.stop(unable.reason)
            return
        seat.retired = True
        if not self._all_retired():
            self._coordinator.retire(seat.device.key)
            self._unable_warnings.append(f"{seat.device.key} is retired: {unable.reason}")
        elif self._has_leased:
            # It did load: what has changed since is no reason to fail the files that remain.
            self.stop(unable.reason)
        else:
            self.unable = unable.reason
            self.closing = True

    # What a worker gets.

    def answer(self, seat: Seat, number: int) -> Answer | None:
        """Return the answer to the request of this number, with the next files of the seat's worker.

        None: not now, because the worker holds no file, and another one may still lose its own.
        """
        tasks = []
        if not seat.held:
            assignment = None if self.closing else self._next_file(seat.device.key)
            if assignment is not None:
                tasks.append(self._hand_out(seat, assignment))
            elif not self.is_over:
                return None
        if seat.held and not self.closing:
            ahead = self._coordinator.files_ahead(seat.device.key)
            tasks += [self._hand_out(seat, assignment) for assignment in ahead]
        seat.answered_ns = self._clock.mono_ns()
        return Answer(number, tuple(tasks) if seat.held else None, tuple(seat.refusals))

    def _next_file(self, key: str) -> Assignment | None:
        if self._first.wants_shortest:
            shortest = self._coordinator.shortest_file(key)
            if shortest is not None:
                self._first.begin_shortest(shortest.file.id)
                return shortest
            if not self._coordinator.has_queued:
                self._first.begin_shortest(None)
        return self._coordinator.next_file(key)

    def _hand_out(self, seat: Seat, assignment: Assignment) -> Task:
        output = self._store.new_attempt()
        self._seat(seat, assignment, output)
        return Task(
            assignment.file.id,
            to_bytes(assignment.file.path),
            to_bytes(output),
            assignment.attempt,
            assignment.stolen_from,
            assignment.stolen_at_ns,
            assignment.file.state,
            assignment.is_last,
        )

    def recall(self) -> None:
        """Take back what workers hold ahead and are not to begin: all if no more files are handed out.

        Otherwise those behind a file that takes longer than was expected, so that other devices can have them.
        """
        now_ns = self._clock.mono_ns()
        for seat in self._seats:
            if len(seat.held) > 1 and (self.closing or now_ns - seat.answered_ns >= SHORT_SECONDS * NANOSECONDS):
                self._take_back(seat)

    def _take_back(self, seat: Seat) -> None:
        """Take back the files that the worker holds and has not begun. The first one counts as begun."""
        while len(seat.held) > 1 and self._store.keep_from_beginning(seat.held[-1].output):
            seat.held.pop()
            self._coordinator.take_back(seat.device.key)

    def offer(self, pending: PendingFile) -> Task:
        """Return a task for a scheduler that decides itself who works on it; `begin` is to follow.

        `stolen_from` is the device whose file it is; None: no device's.
        """
        file, output = pending.file, self._store.new_attempt()
        return Task(
            file.id,
            to_bytes(file.path),
            to_bytes(output),
            pending.attempt,
            pending.owner,
            state=file.state,
            is_last=pending.is_last,
        )

    def begin(self, seat: Seat, task: Task, stolen_at_ns: int | None) -> bool:
        """Lease the file of an offered task to the seat's worker, which has begun it and holds no other.

        For `stolen_at_ns` see the coordinator's lease_file. Returns False when the file is not pending.
        """
        assignment = self._coordinator.lease_file(seat.device.key, task.file, stolen_at_ns)
        if assignment is None:
            return False
        self._seat(seat, assignment, os.fsdecode(task.output))
        return True

    def _seat(self, seat: Seat, assignment: Assignment, output: str) -> None:
        self._warn_of_retired()
        self._has_leased = True
        seat.held.append(HeldFile(assignment, output))

    def _warn_of_retired(self) -> None:
        """Warn of the devices on which the job does not load, once it has loaded on one.

        If it loads on none, the run ends with the reason instead.
        """
        for message in self._unable_warnings:
            self._warn(message)
        self._unable_warnings.clear()

    # What becomes of a seat whose worker is gone.

    def lose(self, seat: Seat, how: str, loss: Loss, overdue: str | None = None) -> Loss:
        """Return the files of a worker that has ended to the coordinator; retire a device whose workers all die.

        `how` continues a sentence: "was killed by SIGKILL". `overdue` is the results folder of the attempt that
        has taken too long; None: none has, and the loss counts for the last one that was begun. Returns as what
        the loss counts.
        """
        if loss.is_death and self._is_of_every_file():
            loss = Loss.STOPPED
        self._take_back(seat)
        key = seat.device.key
        to_blame = next((each.assignment for each in seat.held if each.output == overdue), None)
        held = self._coordinator.worker_lost(key, seat.source, seat.epoch, how, loss, to_blame)
        unreported = len(seat.held) - 1
        for each in seat.held:
            self._store.discard(each.output)
        seat.clear()
        loads_nothing = seat.deaths.note_end(loss)
        if loss is Loss.STOPPED:
            return loss
        when = "before it had a file" if held is None else f"while it worked on {held.file.id}"
        if unreported > 0:
            when += f"; what it had not reported is processed again ({unreported} more)"
        line = f"{seat.source} ({key}) {how} {when}{self._close_log(held)}"
        if loss is Loss.TIMED_OUT:
            self._reports.name_failure(how, lambda: line)
        else:
            self._warn(line)
        if loads_nothing:
            self._retire_dying(seat, how)
        if self._coordinator.is_retired(key) and not seat.retired:
            seat.retired = True
            self._warn(f"{key} is retired: its workers keep dying")
        return loss

    def _close_log(self, lost: Assignment | None) -> str:
        """Bound the log of an attempt that was lost, and return what a line about it names of that."""
        if lost is None:
            return ""
        log = log_of(self._server.run_dir, lost.file.id, lost.attempt)
        if log is not None:
            with suppress(OSError):  # then it stays as it is
                shorten_log(log.path)
        return log_hint(log)

    def retire(self, seat: Seat, problem: str) -> None:
        """Give the device no more workers because of `problem`; without any device left the run ends."""
        seat.retired = True
        self._warn(f"{problem}; {seat.device.key} is retired")
        if self._all_retired():
            self.stop(problem)
        elif not self.closing:
            self._coordinator.retire(seat.device.key)

    def _retire_dying(self, seat: Seat, how: str) -> None:
        """Retire a device whose workers die before they have loaded the job; the last one ends the run."""
        if any(not each.retired for each in self._seats if each is not seat):
            self._coordinator.retire(seat.device.key)
            return
        seat.retired = True
        log = self._server.log_path(seat.source)
        # An empty log is removed at the end.
        hint = f"; see {visible(str(log))}" if log.exists() and log.stat().st_size else ""
        self.stop(f"no device is left: the last worker {how} before it had a file{hint}")

    def _all_retired(self) -> bool:
        return all(seat.retired for seat in self._seats)

    def _is_of_every_file(self) -> bool:
        """Whether a worker has died of what ends the run, and not of its file or device.

        A full disk kills a program that writes through memory, for example. Others die with it, and the first to
        be reaped leaves some room.
        """
        if self._committer.stop_reason is None and (problem := self._store.problem()) is not None:
            self.stop(problem)
        return self._committer.stop_reason is not None
