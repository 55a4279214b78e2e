"""The roster: which worker of the cluster sits at which seat, as they come, leave and come back."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from virnucpro_bus.text import visible
from workers.dask.inventory import Inventory, SharedFolder
from workers.dask.link import Link, Surveyed
from workers.dask.member.survey import Member
from workers.dask.seat import DaskSeat


class Roster:
    """Finds the seat of each worker. For one thread."""

    def __init__(
        self,
        seats: Sequence[DaskSeat],
        link: Link,
        folder: SharedFolder,
        question: bytes,
        warn: Callable[[str], object],
    ) -> None:
        """`question` is what each worker has to answer about `folder`; `warn` gets a line about each unfit one."""
        self._seats = seats
        self._link = link
        self._folder = folder
        self._question = question
        self._warn = warn
        self._asked: set[str] = set()
        """The addresses of workers that have not answered yet."""

    def begin(self, inventory: Inventory) -> None:
        """Seat the members of the inventory that are still there, in its order, and ask those that came since."""
        present = self._link.addresses()
        for seat, (address, member) in zip(self._seats, inventory.members.items(), strict=False):
            if address in present:
                seat.address, seat.member = address, member
        known = inventory.members.keys() | inventory.unfit.keys()
        self.ask([address for address in present if address not in known])

    def ask(self, addresses: Sequence[str]) -> None:
        """Ask workers that have come what they are."""
        new = [each for each in addresses if each not in self._asked and self.seat_at(each) is None]
        self._asked.update(new)
        if new:
            self._link.survey(new, self._question)

    def seat_at(self, address: str) -> DaskSeat | None:
        """Return the seat of the worker at an address; None: it has none."""
        return next((seat for seat in self._seats if seat.address == address), None)

    def take(self, surveyed: Surveyed) -> tuple[DaskSeat, Member] | Member | None:
        """Return the seat to which a worker that has answered belongs; itself alone if it is a new one.

        None: it cannot take part, which was reported, or has left meanwhile.
        """
        if surveyed.address not in self._asked:
            return None
        self._asked.discard(surveyed.address)
        judged = self._folder.judge(surveyed.answer)
        if not isinstance(judged, Member):
            self._warn(f"{visible(surveyed.address)} takes no part in the run: {judged.reason}")
            return None
        seat = next((seat for seat in self._seats if seat.identity == judged.identity), None)
        return judged if seat is None else (seat, judged)

    def forget(self, address: str) -> None:
        """Note that a worker has left before it has answered."""
        self._asked.discard(address)
