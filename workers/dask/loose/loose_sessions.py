"""The launcher's end of the sessions where Dask decides who works on which file: it submits, and takes part after.

A lease begins when a worker is heard to have begun the file, or else with its result. Of a worker that dies before
it is heard, its claim in the shared folder shows what it had begun.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from msgspec.structs import replace

from virnucpro_bus.clock import NANOSECONDS, SystemClock
from virnucpro_bus.errors import ChannelError
from virnucpro_bus.events.codec import decode
from virnucpro_bus.events.vocabulary import FileFailed
from workers.coordinator.assignment import PendingFile
from workers.dask.arrivals import Moment
from workers.dask.link import Link, Replied
from workers.dask.loose.loose_arrivals import LooseArrivals, with_event
from workers.dask.loose.offers import Offer, Offers
from workers.dask.loose.stealing_log import TOPIC
from workers.dask.seat import DaskSeat
from workers.dask.sessions import DISMISSAL_SECONDS, Sessions
from workers.desk.desk import Desk
from workers.desk.executor import Workplace
from workers.process.failure_reason import describe_failure
from workers.protocol import Answer, Refusal, Settled, decode_request, encode_answer
from workers.schedule.blame import Loss

OFFERS_AT_ONCE = 200
"""How many files are submitted in one turn of the launcher's loop."""
FEW_FAILURES, MOST_FAILURES = 2, 10
"""So often a task may fail outside the job, until Dask chooses among the run's own workers alone, and until the
run ends."""
_NOT_DONE = b""


def make_sessions(
    workplace: Workplace,
    link: Link,
    desk: Desk,
    seats: Sequence[DaskSeat],
    lose: Callable[[DaskSeat, str], object],
) -> Sessions:
    """Make the sessions of a run, as its policy requires. For the arguments see Sessions."""
    make = Sessions if workplace.coordinator.decides else LooseSessions
    return make(workplace, link, desk, seats, lose)


class LooseSessions(Sessions):
    """Submits all files, and seats them as Dask has them begun. For one thread."""

    def __init__(
        self,
        workplace: Workplace,
        link: Link,
        desk: Desk,
        seats: Sequence[DaskSeat],
        lose: Callable[[DaskSeat, str], object],
    ) -> None:
        """For the arguments see Sessions."""
        super().__init__(workplace, link, desk, seats, lose)
        server = workplace.server
        self.arrivals: LooseArrivals = LooseArrivals(server.run, server.host, server.hub.refused)
        self._offers = Offers()
        self._to_offer: deque[PendingFile] = deque()
        self._is_due = True
        """Whether files may be pending that were not offered."""
        self._failures: Counter[str] = Counter()
        """By file: how often a task for it has failed outside the job."""
        self._results: deque[tuple[Offer, DaskSeat, Settled]] = deque()
        """What workers have reported, in the order in which it came, and the desk has not yet."""
        self._reported: dict[int, Settled] = {}
        """What the desk has been told of each seat's file, and has not accepted or refused yet."""
        clock = SystemClock()
        link.follow(TOPIC, lambda message: self.arrivals.follow(message, Moment(clock.wall_ns(), clock.mono_ns())))

    def close(self, seat: DaskSeat) -> None:
        """Close the session of a seat. What its worker has begun last is its file, although it was not heard of.

        What it had done before, without that we have its report, is lost with it, and not to blame.
        """
        # What it has reported is as good as ever.
        self._settle_results()
        self._reported.pop(seat.number, None)
        self._results = deque(each for each in self._results if each[1] is not seat)
        begun = self._offers.begun_by(seat.source, seat.epoch) if seat.is_open else []
        for at, offer in enumerate(begun, start=1):
            if seat.assignment is None:
                self._begin(seat, offer)
            if at < len(begun) and seat.assignment is not None and seat.assignment.file.id == offer.task.file:
                self._desk.lose(seat, "has left the Dask cluster with a report", Loss.STOPPED)
            self._remove(offer)
        held = None if seat.assignment is None else self._offers.of_file(seat.assignment.file.id)
        if held is not None:
            self._remove(held)
        super().close(seat)
        # Dask keeps a task for ever whose workers are gone, if it has not moved it, even if others may have it.
        present = {each.address or "" for each in self._seats if each.is_open}
        self._withdraw(self._offers.not_offered_to(present))
        self._is_due = True

    def take(self, reply: Replied) -> None:
        """Take what a session replies: to an offer, or as Sessions does."""
        offer = self._offers.with_token(reply.token)
        if offer is None:
            super().take(reply)
            for seat in self._seats:
                # It waits for no answer of ours.
                seat.pending = None
        elif isinstance(reply.request, BaseException):
            self._take_lost(offer, reply.request)
        elif reply.request == _NOT_DONE or (result := self._result(offer, reply)) is None:
            self._take_lost(offer, None)
        else:
            self._results.append(result)

    def reply(self) -> None:
        """Seat what was begun, settle what has come, and submit what is pending; dismiss workers in the end."""
        self._settle_results()
        for seat in self._seats:
            if seat.is_open and seat.assignment is None:
                self._begin_if_started(seat)
        can_commit = self._desk.can_commit()
        if self._desk.is_over:
            self._to_offer.clear()
            self._withdraw(self._offers)
            self._dismiss()
        elif can_commit:
            self._offer_pending()

    # What workers have begun and done.

    def _begin_if_started(self, seat: DaskSeat) -> None:
        started = self.arrivals.started(seat.source, seat.epoch)
        offer = None if started is None else self._offers.of_file(started[0])
        if offer is not None and started == (offer.task.file, offer.task.attempt):
            self._begin(seat, offer)

    def _begin(self, seat: DaskSeat, offer: Offer) -> bool:
        task = offer.task
        at_ns = self.arrivals.stolen_at_ns(seat.source, seat.epoch, task.file, task.attempt)
        return self._desk.begin(seat, task, at_ns)

    def _result(self, offer: Offer, reply: Replied) -> tuple[Offer, DaskSeat, Settled] | None:
        """Return what a worker has reported of an offer; None: nothing that is of account."""
        assert isinstance(reply.request, bytes)
        try:
            request = decode_request(reply.request)
        except ChannelError:
            return None
        seat = self._seats[request.slot] if 0 <= request.slot < len(self._seats) else None
        if seat is None or seat.epoch != request.epoch or not seat.is_open or len(request.settled) != 1:
            return None
        (settled,) = request.settled
        frame = self.arrivals.take_result(settled.frame, reply.arrived)
        return None if frame is None else (offer, seat, replace(settled, frame=frame))

    def _settle_results(self) -> None:
        """Tell the desk what workers have reported, one file of each at a time, until all is settled."""
        self._publish_refusals()
        while self._results:
            waiting: deque[tuple[Offer, DaskSeat, Settled]] = deque()
            for offer, seat, settled in self._results:
                is_next = seat.number not in self._reported and seat.assignment is None
                if not is_next and not (seat.assignment and seat.assignment.file.id == offer.task.file):
                    waiting.append((offer, seat, settled))
                    continue
                if seat.assignment is None and not self._begin(seat, offer):
                    self._publish_failure(settled, Refusal("Dask has had it worked on twice"))
                else:
                    self._reported[seat.number] = settled
                    self._desk.report(seat, [settled])
                    # A failure: the file may be pending again.
                    self._is_due = self._is_due or not self._desk.is_committing(seat)
                self._remove(offer, is_reported=True)
            self._desk.commit()
            self._publish_refusals()
            if len(waiting) == len(self._results):
                return
            self._results = waiting

    def _publish_refusals(self) -> None:
        """Publish, in the place of the results that the desk has refused, that the attempts have failed."""
        for number, settled in list(self._reported.items()):
            seat = self._seats[number]
            if self._desk.is_committing(seat):
                continue
            del self._reported[number]
            for refusal in filter(None, seat.refusals):
                self._is_due = True
                self._publish_failure(settled, refusal)

    def _publish_failure(self, settled: Settled, refusal: Refusal) -> None:
        """Publish that an attempt has failed, under the number that its worker gave to the report of its end."""
        envelope: Any = decode(settled.frame)
        event = envelope.event
        failed = FileFailed(
            event.device, event.file, event.attempt, refusal.reason, event.duration_seconds, refusal.is_final
        )
        self._workplace.server.hub.record([with_event(envelope, failed)])

    def _take_lost(self, offer: Offer, error: BaseException | None) -> None:
        """Take note of a task that Dask has lost, or that failed outside the job; None: it has done nothing."""
        if not self._link.is_connected:
            return  # the whole cluster is lost: no worker is to blame
        file = offer.task.file
        holder = next((seat for seat in self._seats if seat.assignment and seat.assignment.file.id == file), None)
        self._remove(offer)
        self._is_due = True
        if holder is not None:
            self._lose(holder, "was lost by Dask")
        elif error is not None and not self._link.is_lost_by_dask(error):
            # Most likely a worker of the cluster that takes no part in the run.
            self._failures[file] += 1
            if self._failures[file] >= MOST_FAILURES:
                self._desk.stop(f"{file}: Dask cannot have it worked on: {describe_failure(error)}")

    def _remove(self, offer: Offer, *, is_reported: bool = False) -> None:
        self._offers.remove(offer, is_reported=is_reported)
        self.arrivals.forget(offer.task.file, offer.task.attempt)

    # What they get.

    def _offer_pending(self) -> None:
        """Submit files that are pending, the biggest first, once a worker has loaded the job."""
        loaded = [seat.address for seat in self._seats if seat.is_loaded and seat.address and not seat.retired]
        if not loaded:
            return
        if self._is_due:
            self._is_due = False
            pending = self._workplace.coordinator.pending_files()
            self._to_offer = deque(each for each in pending if self._offers.of_file(each.file.id) is None)
        at = {seat.device.key: seat.address for seat in self._seats if seat.is_open and not seat.retired}
        for _ in range(min(OFFERS_AT_ONCE, len(self._to_offer))):
            pending_file = self._to_offer.popleft()
            is_failing = self._failures[pending_file.file.id] >= FEW_FAILURES
            owner = None if is_failing else at.get(pending_file.owner or "")
            task = self._desk.offer(pending_file)
            answer = encode_answer(Answer(0, (task,)))
            addresses = [owner] if owner else loaded
            token, future = self._link.offer(addresses, answer, loosely=not is_failing)
            self._offers.add(Offer(task, token, future, frozenset(addresses)))
            self.arrivals.keys[task.file, task.attempt] = token

    def _withdraw(self, offers: Iterable[Offer]) -> None:
        """Withdraw those of the offers that no worker has begun."""
        for offer in offers:
            if self._offers.withdraw(offer):
                self.arrivals.forget(offer.task.file, offer.task.attempt)

    def _dismiss(self) -> None:
        """End the sessions once nothing is in progress."""
        if len(self._offers) or self._results or self._reported:
            return
        for seat in self._seats:
            if seat.is_loaded and seat.address is not None and seat.dismissal_ends_ns is None:
                now_ns = self._workplace.clock.mono_ns()
                seat.dismissal_ends_ns = now_ns + int(DISMISSAL_SECONDS * NANOSECONDS)
                answer = encode_answer(Answer(0, None))
                seat.token, seat.call = self._link.offer([seat.address], answer, loosely=False)
