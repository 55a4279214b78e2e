"""The workers of a run in a Dask cluster: the executor that the launcher drives.

A worker of the cluster is recognized by what stays the same when it is restarted, and sits at the seat of a
device. In it a session is opened, which loads the job; then it gets one file after another. All decisions are made
in the launcher's thread, by the desk.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Sequence
from contextlib import suppress

import zmq

from virnucpro_bus.clock import NANOSECONDS, SystemClock
from virnucpro_bus.text import visible
from workers.dask.cluster import Connection
from workers.dask.inventory import Inventory, SharedFolder, remove_left_behind
from workers.dask.link import Frame, Joined, Left, Link, NotRestarted, Replied, Report
from workers.dask.loose.loose_sessions import make_sessions
from workers.dask.member.survey import Member
from workers.dask.naming import name_late
from workers.dask.roster import Roster
from workers.dask.seat import DaskSeat, Ending
from workers.dask.sessions import DISMISSAL_SECONDS
from workers.desk.desk import Desk
from workers.desk.executor import Workplace
from workers.desk.watchdog import Watchdog
from workers.inputs.input_file import InputFile
from workers.schedule.blame import Loss

ENDING_SECONDS = 30.0
"""Time for a worker that is to be ended to leave the cluster …"""
KILLING_SECONDS = 5.0
"""… and when the run is to end at once."""
DESERTED_SECONDS = 120.0
"""So long a device waits for its worker to come back. Then the others get its files; without any, the run ends."""


class DaskWorkers:
    """Seats the workers of a cluster, supervises their sessions, and ends them. For one thread."""

    def __init__(
        self,
        workplace: Workplace,
        connect: Callable[[Workplace], Connection],
        inventory: Inventory,
        files: Sequence[InputFile],
    ) -> None:
        """The members of `inventory` are the workers of the devices.

        Without any, the cluster is one of our own, where the name of a worker is the number of its device. `files`
        are the inputs that workers must be able to read. Raises UserError when there is no cluster.
        """
        server = workplace.server
        self._workplace = workplace
        self._server = server
        self._coordinator = workplace.coordinator
        self._clock = workplace.clock
        self._warn = workplace.warn
        self._inventory = inventory
        devices = workplace.coordinator.devices
        self._seats = [
            DaskSeat(number, device, workplace.last_epoch, identity=identity)
            for number, (device, identity) in enumerate(zip(devices, inventory.identities(devices), strict=True))
        ]
        self.desk = Desk(workplace, self._seats)
        """Where the workers get their files."""
        self._watchdog = Watchdog(workplace.limits, self._clock, server.hub.events_from)
        self._connection = connect(workplace)
        self._link = Link(self._connection.client, server.run, SystemClock())
        self._sessions = make_sessions(workplace, self._link, self.desk, self._seats, self._lose_session)
        remove_left_behind(server.run_dir)
        self._folder = SharedFolder(server.run_dir)
        question = self._folder.question(files, wants_device=not self._connection.is_own)
        self._roster = Roster(self._seats, self._link, self._folder, question, self._warn)
        self._has_lost_cluster = False

    @property
    def sockets(self) -> list[zmq.Socket[bytes] | int]:
        """The descriptor that is readable when Dask has reported something."""
        return [self._link.inbox.fileno()]

    @property
    def running(self) -> bool:
        """Whether a session is still open."""
        return any(seat.is_open for seat in self._seats)

    def start(self) -> None:
        """Seat the workers that are there. `poll` opens sessions in them."""
        self._roster.begin(self._inventory)

    def poll(self) -> None:
        """Take what Dask reports, open the sessions that are due, end what must end, and hand out files."""
        self._take(self._link.inbox.take())
        if not self._link.is_connected:
            self._lose_cluster()
        self.desk.commit()
        self.desk.recall()
        self._watchdog.poll()
        for seat in self._seats:
            self._supervise(seat)
        self._give_up_deserted()
        self._sessions.reply()
        self.desk.tidy()

    def drain(self) -> None:
        """Hand out no more files: each worker ends after its current file, and at once while it loads the job."""
        self.desk.closing = True
        for seat in self._seats:
            if seat.is_open and not seat.is_loaded:
                self._lose(seat, "was ended with the run", Loss.STOPPED)

    def kill(self) -> None:
        """Begin to end the workers that hold a file; `poll` continues that, for 5 s at most."""
        self.desk.closing = True
        for seat in self._seats:
            if seat.is_open and seat.ending is None:
                self._end(seat, Loss.STOPPED, "was ended with the run", KILLING_SECONDS)

    def close(self) -> None:
        """End the sessions, and our own cluster with its processes, within about 20 s. Safe to call twice."""
        self.desk.closing = True
        for seat in self._seats:
            if seat.is_open:
                self._lose(seat, "was ended with the run", Loss.STOPPED)
        self._link.close()
        self._connection.close()
        self._folder.close()

    # What Dask reports.

    def _take(self, reports: Sequence[Report]) -> None:
        arrivals = self._sessions.arrivals
        frames = [
            frame
            for report in reports
            if isinstance(report, Frame) and (frame := arrivals.take(report.frame, report.arrived)) is not None
        ]
        if frames:
            self._server.hub.ingest(frames)
        for report in reports:
            match report:
                case Joined(address):
                    self._roster.ask([address])
                case Left(address):
                    self._take_leave(address)
                case Replied():
                    self._sessions.take(report)
                case NotRestarted(address, reason):
                    self._take_failed_restart(address, reason)
                case Frame():
                    pass
                case surveyed:
                    match self._roster.take(surveyed):
                        case (DaskSeat() as seat, Member() as member):
                            self._seat(seat, surveyed.address, member)
                        case Member() as newcomer:
                            self._admit(surveyed.address, newcomer)

    def _seat(self, seat: DaskSeat, address: str, member: Member) -> None:
        """Let the worker at `address` take a seat, in place of one that it follows."""
        if seat.is_open:
            self._lose(seat, "has been replaced in the Dask cluster", Loss.DIED)
        seat.address, seat.member = address, member

    def _admit(self, address: str, member: Member) -> None:
        """Give a worker that joins late a device and a seat of its own."""
        if self.desk.is_over:
            return
        others = {seat.member.host for seat in self._seats if seat.member is not None} - {member.host}
        device = name_late(member, self._coordinator.devices, tells_host=bool(others))
        number = self._coordinator.add_device(device)
        seat = DaskSeat(number, device, self._workplace.last_epoch, identity=member.identity)
        self._seats.append(seat)
        self._seat(seat, address, member)
        self._warn(f"{visible(address)} joins the run as {visible(device.key)}")

    def _take_leave(self, address: str) -> None:
        self._roster.forget(address)
        seat = self._roster.seat_at(address)
        if seat is None:
            return
        if seat.is_open:
            self._lose_session(seat, "has left the Dask cluster")
        seat.address = seat.member = None

    def _take_failed_restart(self, address: str, reason: str) -> None:
        seat = self._roster.seat_at(address)
        if seat is not None and seat.ending is not None:
            self._abandon(seat, f"cannot be restarted: {reason}")

    # What becomes of a seat.

    def _supervise(self, seat: DaskSeat) -> None:
        """Open a session if one is due; end the worker if it must end, and do without it if it does not."""
        if not seat.is_open:
            if self._wants_session(seat):
                self._sessions.open(seat)
            return
        now_ns = self._clock.mono_ns()
        if seat.ending is not None:
            if now_ns >= seat.ending.ends_at_ns:
                self._abandon(seat, "cannot be ended")
        elif seat.dismissal_ends_ns is not None:
            if now_ns >= seat.dismissal_ends_ns:
                self._warn(
                    f"{seat.source} did not end its session within {DISMISSAL_SECONDS:.0f} s of its last file"
                )
                self._sessions.close(seat)
        elif self._server.hub.events_from(seat.source, seat.epoch):
            # Until the session is heard of, the worker may be busy for others of the cluster.
            self._check(seat)

    def _check(self, seat: DaskSeat) -> None:
        held = seat.assignment
        arrivals = self._sessions.arrivals
        is_working = held is not None and arrivals.has_started(seat.source, seat.epoch, held.file.id, held.attempt)
        verdict = self._watchdog.check(
            seat, is_loaded=seat.is_loaded, is_waiting=seat.pending is not None or not is_working
        )
        if verdict is not None:
            self._end(seat, *verdict, ENDING_SECONDS)

    def _wants_session(self, seat: DaskSeat) -> bool:
        if seat.address is None or self.desk.closing or seat.retired or self._clock.mono_ns() < seat.restart_at_ns:
            return False
        # What the journal records of a worker can only be understood with the plan.
        return self._coordinator.unsettled > 0 and self.desk.can_commit()

    def _end(self, seat: DaskSeat, loss: Loss, reason: str, seconds: float) -> None:
        """Begin to end the worker's process, if that is in our power; its leaving the cluster is reported."""
        assert seat.address is not None
        assert seat.member is not None
        ends_at_ns = self._clock.mono_ns() + int(seconds * NANOSECONDS)
        seat.ending = Ending(loss, reason, ends_at_ns, seat.output)
        if self._connection.is_own:
            with suppress(ProcessLookupError):
                os.killpg(seat.member.pid, signal.SIGKILL)
        elif seat.member.nanny:
            self._link.restart(seat.address)
        else:
            self._abandon(seat, "has no nanny that could end it")

    def _abandon(self, seat: DaskSeat, problem: str) -> None:
        """Do without a worker that cannot be ended, and without its device. It can commit nothing any more."""
        where = visible(seat.address or "")
        self._lose_session(seat, problem)
        if not self.desk.closing:
            self.desk.retire(seat, f"{seat.source} at {where} {problem}")

    def _lose_session(self, seat: DaskSeat, how: str) -> None:
        """Note that a session is over, by itself or because it was to be ended."""
        ending = seat.ending
        if ending is None:
            self._lose(seat, how, Loss.DIED)
        else:
            # A file that was assigned to it while it was being ended is not to blame.
            loss = ending.loss if seat.holds(ending.output) else Loss.STOPPED
            self._lose(seat, ending.reason, loss, ending.output if loss is Loss.TIMED_OUT else None)

    def _lose(self, seat: DaskSeat, how: str, loss: Loss, overdue: str | None = None) -> None:
        is_done = seat.dismissal_ends_ns is not None and seat.assignment is None
        self._sessions.close(seat)
        if not is_done and self.desk.lose(seat, how, loss, overdue) is Loss.DIED:
            seat.restart_at_ns = self._clock.mono_ns() + seat.deaths.delay_ns()

    def _lose_cluster(self) -> None:
        """End the run in order: without its scheduler, all that the cluster was to do is lost."""
        if not self._has_lost_cluster:
            self._has_lost_cluster = True
            self.desk.stop("the Dask scheduler has gone")
        for seat in self._seats:
            if seat.is_open:
                self._lose(seat, "was lost with the Dask scheduler", Loss.STOPPED)
            seat.address = seat.member = None

    def _give_up_deserted(self) -> None:
        """Do without the devices whose workers do not come back; end the run if that is all of them."""
        now_ns, most_ns = self._clock.mono_ns(), DESERTED_SECONDS * NANOSECONDS
        in_use = [seat for seat in self._seats if not seat.retired]
        deserted = [seat for seat in in_use if seat.away_ns(now_ns) >= most_ns]
        if self.desk.closing or not deserted:
            return
        if deserted == in_use:
            self.desk.stop(f"no worker has been left in the Dask cluster for {DESERTED_SECONDS:.0f} s")
            return
        for seat in deserted:
            self.desk.retire(
                seat, f"{seat.source} has not come back to the Dask cluster for {DESERTED_SECONDS:.0f} s"
            )
