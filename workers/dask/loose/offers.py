"""The offers of a run that Dask schedules: the tasks that were submitted for files, and are not over."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from workers.dask.member.claims import Claim, claim, claims_beside, forget_claim
from workers.protocol import Task

_WITHDRAWN = Claim("", 0, 0)


@dataclass(frozen=True)
class Offer:
    """One task that Dask brings to a worker of its choice."""

    task: Task
    token: str
    """Its key, by which the reply names it."""
    future: Any
    offered_to: frozenset[str]
    """The addresses of the workers to which it was submitted."""


class Offers:
    """The offers, by token and by file: at most one for each file. For one thread."""

    def __init__(self) -> None:
        self._by_token: dict[str, Offer] = {}
        self._by_file: dict[str, Offer] = {}

    def __len__(self) -> int:
        return len(self._by_token)

    def __iter__(self) -> Iterator[Offer]:
        return iter(list(self._by_token.values()))

    def add(self, offer: Offer) -> None:
        """Add an offer for a file that has none."""
        self._by_token[offer.token] = self._by_file[offer.task.file] = offer

    def with_token(self, token: str) -> Offer | None:
        """Return the offer that a reply names; None: there is none any more."""
        return self._by_token.get(token)

    def of_file(self, file: str) -> Offer | None:
        """Return the offer of a file; None: it has none."""
        return self._by_file.get(file)

    def remove(self, offer: Offer, *, is_reported: bool = False) -> None:
        """Remove an offer that is over; Dask forgets the task.

        Unless its end was reported, Dask may bring it to a worker once more even now: the claim prevents that.
        """
        del self._by_token[offer.token], self._by_file[offer.task.file]
        offer.future.release()
        if is_reported:
            forget_claim(offer.task.output)

    def withdraw(self, offer: Offer) -> bool:
        """Remove an offer that no worker has begun, and none can any more. Returns False if one has."""
        is_withdrawn = claim(offer.task.output, _WITHDRAWN)
        if is_withdrawn:
            self.remove(offer)
        return is_withdrawn

    def not_offered_to(self, addresses: Collection[str]) -> list[Offer]:
        """Return the offers that were submitted to none of the workers at these addresses."""
        return [offer for offer in self if offer.offered_to.isdisjoint(addresses)]

    def begun_by(self, source: str, epoch: int) -> list[Offer]:
        """Return the offers that a worker has begun, in that order."""
        found = [(begun.number, offer) for offer, begun in self._claimed() if begun[:2] == (source, epoch)]
        return [offer for _, offer in sorted(found, key=lambda each: each[0])]

    def _claimed(self) -> list[tuple[Offer, Claim]]:
        first = next(iter(self), None)
        claims = {} if first is None else claims_beside(first.task.output)
        return [(offer, begun) for offer in self if (begun := claims.get(offer.task.output)) is not None]
