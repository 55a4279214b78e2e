"""The launcher's end of the sessions: opens them, takes their reports to the desk, and answers with files."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

import msgspec

from virnucpro_bus.clock import NANOSECONDS
from virnucpro_bus.errors import ChannelError
from workers.dask.arrivals import Arrivals, Moment
from workers.dask.link import Link, Replied
from workers.dask.machine_clock import MachineClock
from workers.dask.member.survey import boot_id
from workers.dask.seat import DaskSeat
from workers.desk.desk import Desk
from workers.desk.executor import Workplace
from workers.process.failure_reason import describe_failure
from workers.protocol import Unable, decode_request, encode_answer, to_bytes

DISMISSAL_SECONDS = 10.0
"""Time for a job's thread to end after the answer that there are no more files."""
SAMPLER_PREFIX = "sampler-"
"""Of the source of GPU samples, with the number of the seat whose worker samples."""
_ENDED = b""


class Sessions:
    """Opens sessions, takes what they report, and answers. For one thread. It shares the seats with its owner."""

    def __init__(
        self,
        workplace: Workplace,
        link: Link,
        desk: Desk,
        seats: Sequence[DaskSeat],
        lose: Callable[[DaskSeat, str], object],
    ) -> None:
        """`lose` is called with a seat whose session has failed, and how: "was lost by Dask"."""
        server = workplace.server
        self.arrivals = Arrivals(server.run, server.host, server.hub.refused)
        """What the workers publish passes through here."""
        self._workplace = workplace
        self._link = link
        self._desk = desk
        self._seats = seats
        self._lose = lose
        self._clocks: dict[str, MachineClock] = {}
        """By the boot id of the other machines."""
        self._boot = boot_id()
        self._folder = to_bytes(os.getcwd())

    def open(self, seat: DaskSeat) -> None:
        """Open a session in the worker of a seat: it loads the job, then asks for a file."""
        assert seat.address is not None
        assert seat.member is not None
        config = self._workplace.next_config(seat)
        clock = self._clock_of(seat.member.boot)
        self.arrivals.open(seat.source, config.epoch, seat.device.key, clock)
        sampler = ""
        if clock is not None:
            # The GPUs of this machine are sampled by a process of the launcher.
            sampler = f"{SAMPLER_PREFIX}{seat.number}"
            self.arrivals.open(sampler, config.epoch, None, clock, seat.member.host)
        seat.open(self._link.open_session(seat.address, msgspec.json.encode(config), self._folder, sampler))
        self._ask(seat, b"")

    def close(self, seat: DaskSeat) -> None:
        """Close the session of a seat: what its worker still does is of no account."""
        self._link.release(*seat.forget())

    def take(self, reply: Replied) -> None:
        """Take what a session replies to the last answer. The desk's `commit` is to follow."""
        seat = next((seat for seat in self._seats if seat.token == reply.token), None)
        if seat is None:
            return  # of a session that was closed
        seat.call, seat.token = None, ""
        if isinstance(reply.request, BaseException):
            self._take_failure(seat, reply.request)
        elif reply.request == _ENDED:
            is_expected = seat.dismissal_ends_ns is not None
            if is_expected:
                self.close(seat)
            else:
                self._lose(seat, "has ended its session")
        else:
            self._take_request(seat, reply.request, reply.arrived)

    def reply(self) -> None:
        """Answer the pending requests for which there is an answer now."""
        if not self._desk.can_commit() and not self._desk.closing:
            return
        for seat in self._seats:
            if seat.pending is not None and not self._desk.is_committing(seat):
                self._answer(seat, seat.pending.number)

    def _take_request(self, seat: DaskSeat, raw: bytes, arrived: Moment) -> None:
        try:
            request = decode_request(raw)
        except ChannelError:
            self._lose(seat, "has sent what is not a request")
            return
        seat.pending, seat.is_loaded = request, True
        # What is refused here is not about a file that the worker holds either.
        settled = [
            msgspec.structs.replace(each, frame=self.arrivals.take(each.frame, arrived) or b"")
            for each in request.settled
        ]
        self._desk.report(seat, settled, request.unable)

    def _take_failure(self, seat: DaskSeat, error: BaseException) -> None:
        if not self._link.is_connected:
            return  # the whole cluster is lost: no worker is to blame
        if self._link.is_lost_by_dask(error) or seat.is_loaded:
            self._lose(seat, "was lost by Dask")
            return
        # Our own code has failed there before the job was loaded: a package that is missing, for example.
        self._desk.report(seat, (), Unable(describe_failure(error)))
        self.close(seat)

    def _answer(self, seat: DaskSeat, number: int) -> None:
        answer = self._desk.answer(seat, number)
        if answer is None:
            return
        if answer.tasks is None:
            now_ns = self._workplace.clock.mono_ns()
            seat.dismissal_ends_ns = now_ns + int(DISMISSAL_SECONDS * NANOSECONDS)
        seat.pending = None
        self._ask(seat, encode_answer(answer))

    def _clock_of(self, boot: str) -> MachineClock | None:
        """Return the clock of the machine of this boot id; None: it is this machine."""
        return None if boot and boot == self._boot else self._clocks.setdefault(boot, MachineClock())

    def _ask(self, seat: DaskSeat, answer: bytes) -> None:
        assert seat.address is not None
        seat.token, seat.call = self._link.ask(seat.address, seat.lease, answer)
