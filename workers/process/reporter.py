"""The reporter: brings results to the disk, reports them, and gets more files, all while the job is at work.

    the job's thread    file 1 | file 2 | file 3 …
    the reporter               | file 1: sync, report, wait for the commit, publish | file 2 …

So a worker that holds files ahead (schedule/ahead.py) is not idle between two of them. What has finished while a
report is on its way is reported with the next one: the shorter the files, the more of them share a commit.

On the bus, the events of a worker stay in order: it starts a file after the end of the one before. So a start is
published at once only if all earlier files are accepted, else when they are, or with the file's own report.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from itertools import zip_longest
from typing import NamedTuple, Protocol

from virnucpro_bus.clock import NANOSECONDS, SystemClock
from virnucpro_bus.events.vocabulary import FileCompleted, FileFailed, FileStarted
from virnucpro_bus.files.disk import Disk
from virnucpro_bus.publish.publisher import Publisher
from workers.commit.manifest import UnsyncedResults
from workers.fault_injection import fault_point
from workers.process.attempt import Outcome, Performed, begin_seal, seal
from workers.process.turn import Failure, Turn, failure_of, now
from workers.protocol import Answer, Refusal, Settled, Task, Unable

GATHERING_SECONDS = 0.02
"""So long finished files wait for more, while the job's thread has enough to do: the more of them share a report,
the less each costs."""
SEALING_SECONDS = 0.1
"""After so long no more of them are put on the disk before those that are get reported."""


class Asking(Protocol):
    """A worker's end of its way to the launcher."""

    def ask(self, settled: Sequence[Settled] = (), unable: Unable | None = None) -> Answer:
        """Report what was settled, and wait for the answer. Raises ChannelError if none will come."""
        ...


class _Report(NamedTuple):
    turn: Turn
    event: FileCompleted | FileFailed
    settled: Settled


class Reporter:
    """Takes finished files from the job's thread, and gives it new ones. A thread of its own uses the channel."""

    def __init__(self, channel: Asking, bus: Publisher, device_key: str) -> None:
        self._channel = channel
        self._bus = bus
        self._device_key = device_key
        self._clock = SystemClock()
        self._disk = Disk()
        self._changed = threading.Condition()
        """Held for all that follows, which both threads use."""
        self._tasks: deque[Task] = deque()
        """What the job's thread is to do."""
        self._turns: deque[Turn] = deque()
        """What it has begun and the launcher has not accepted yet, in order …"""
        self._finished: deque[Turn] = deque()
        """… and those of them that it has finished and that are not being reported."""
        self._is_idle = False
        """Whether the job's thread waits for a task."""
        self._is_over = False
        self._problem: BaseException | None = None
        """What has ended the reporter, if that was no answer of the launcher."""
        self._thread = threading.Thread(target=self._run, name="reporter", daemon=True)

    # Called by the job's thread.

    def start(self) -> None:
        """Ask for the first files."""
        self._thread.start()

    def next_task(self) -> Task | None:
        """Wait for the next file; None: there are no more. Raises what has ended the reporter, else."""
        with self._changed:
            if not self._tasks:
                self._is_idle = True
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._is_over or self._tasks)
                self._is_idle = False
            if self._problem is not None:
                raise self._problem
            return None if self._is_over else self._tasks.popleft()

    def begin(self, task: Task) -> Turn:
        """Begin a file, which ends the one before if nothing else has."""
        with self._changed:
            turn = Turn(task, now(self._clock))
            if self._turns:
                self._turns[-1].end(turn.began)
            else:
                self._announce(turn)
            self._turns.append(turn)
        return turn

    def finish(self, turn: Turn, result: Performed | Failure, warning: str | None = None) -> None:
        """Hand over a file that the job has done, with what the job warns of."""
        with self._changed:
            turn.result, turn.warning = result, warning
            if isinstance(result, Failure):
                turn.end(now(self._clock))
            self._finished.append(turn)
            if len(self._finished) == 1 or self._is_report_due():
                self._changed.notify_all()

    def join(self) -> None:
        """Wait for the thread, once there are no more files."""
        self._thread.join()

    # The reporter's own thread.

    def _run(self) -> None:
        try:
            answer = self._channel.ask()
            while answer.tasks is not None:
                self._pass_on(answer.tasks)
                reports = self._prepare(self._seal())
                answer = self._channel.ask([report.settled for report in reports])
                self._conclude(reports, answer.refusals)
        except BaseException as error:
            self._problem = error
        finally:
            with self._changed:
                self._is_over = True
                self._changed.notify_all()

    def _pass_on(self, tasks: Sequence[Task]) -> None:
        """Give the job's thread new tasks, and wait until a report is due."""
        with self._changed:
            self._tasks.extend(tasks)
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._finished or self._is_report_due())
            self._changed.wait_for(self._is_report_due, GATHERING_SECONDS)

    def _is_report_due(self) -> bool:
        """Whether the job's thread needs more to do, or will soon. The lock is held."""
        return len(self._finished) > len(self._tasks) or (self._is_idle and not self._tasks)

    def _seal(self) -> list[tuple[Turn, Outcome | Failure]]:
        """Put the results of finished files on the disk, in order, as many as can be done in time."""
        with self._changed:
            finished = tuple(self._finished)
        began_ns, begun = self._clock.mono_ns(), []
        for turn in finished:
            begun.append((turn, self._begin_seal(turn)))
            if self._clock.mono_ns() - began_ns > SEALING_SECONDS * NANOSECONDS:
                break
        sealed = []
        for turn, results in begun:
            sealed.append((turn, results if isinstance(results, Failure) else self._end_seal(turn, results)))
            with self._changed:
                self._finished.popleft()
                turn.end(now(self._clock))
        return sealed

    def _begin_seal(self, turn: Turn) -> UnsyncedResults | Failure:
        if isinstance(turn.result, Failure):
            return turn.result
        try:
            return begin_seal(turn.task, self._disk)
        except BaseException as error:
            return failure_of(error, turn.task)

    def _end_seal(self, turn: Turn, results: UnsyncedResults) -> Outcome | Failure:
        assert isinstance(turn.result, Performed)
        try:
            return seal(turn.task, turn.result, results, self._disk)
        except BaseException as error:
            return failure_of(error, turn.task)

    def _prepare(self, sealed: Sequence[tuple[Turn, Outcome | Failure]]) -> list[_Report]:
        """Make the reports. All starts are published before, so that no event that is on hold precedes them."""
        with self._changed:
            for turn, _ in sealed:
                self._announce(turn)
        reports = [self._report(turn, outcome) for turn, outcome in sealed]
        for turn, _ in sealed:
            fault_point("before_report", turn.task.file, turn.task.attempt)
        return reports

    def _report(self, turn: Turn, outcome: Outcome | Failure) -> _Report:
        bus, task = self._bus, turn.task
        assert turn.ended is not None
        if isinstance(outcome, Failure):
            failed = self._failure(turn, outcome.reason, is_final=outcome.is_final)
            return _Report(
                turn, failed, Settled(bus.prepare(failed, *turn.ended), stop_reason=outcome.stop_reason)
            )
        done = bus.completion(
            task.file, sequences=outcome.sequences, duration_seconds=turn.seconds, attempt=task.attempt
        )
        settled = Settled(
            bus.prepare(done, *turn.ended),
            outcome.manifest.size_bytes,
            outcome.manifest.digest,
            warning=turn.warning,
            input_digest=outcome.input_digest,
        )
        return _Report(turn, done, settled)

    def _conclude(self, reports: Sequence[_Report], refusals: Sequence[Refusal | None]) -> None:
        """Publish what the launcher has accepted, and then the start of the file that the job is at.

        Sent only now: what is on the bus has been accepted by the launcher, whatever happens here.
        """
        for (turn, event, settled), refusal in zip_longest(reports, refusals[: len(reports)]):
            task = turn.task
            fault_point("after_report", task.file, task.attempt)
            if refusal is None:
                self._bus.send_prepared(settled.frame, event)
            else:
                failed = self._failure(turn, refusal.reason, is_final=refusal.is_final)
                self._bus.send_prepared_as(settled.frame, failed)
            fault_point("after_send", task.file, task.attempt)
        with self._changed:
            for _ in reports:
                self._turns.popleft()
            if self._turns:
                self._announce(self._turns[0])

    def _failure(self, turn: Turn, reason: str, *, is_final: bool) -> FileFailed:
        return FileFailed(self._device_key, turn.task.file, turn.task.attempt, reason, turn.seconds, is_final)

    def _announce(self, turn: Turn) -> None:
        """Publish the start of a file, with the time of that, unless this was done. The lock is held."""
        if turn.is_announced:
            return
        task, bus = turn.task, self._bus
        if task.stolen_from is not None:
            bus.work_stolen(
                source=task.stolen_from, file=task.file, attempt=task.attempt, stolen_at_ns=task.stolen_at_ns
            )
        started = FileStarted(self._device_key, task.file, task.attempt)
        bus.send_prepared(bus.prepare(started, *turn.began), started)
        turn.is_announced = True
