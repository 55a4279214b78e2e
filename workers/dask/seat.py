"""A seat whose worker is in a Dask cluster."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from workers.dask.member.survey import Member
from workers.desk.seat import Seat
from workers.protocol import Request
from workers.schedule.blame import Loss


@dataclass(frozen=True)
class Ending:
    """Why a worker is being ended, and until when it may take."""

    loss: Loss
    reason: str
    ends_at_ns: int
    output: str | None
    """The results folder of the attempt to blame; None if there was no attempt."""


@dataclass
class DaskSeat(Seat):
    """A seat, the worker of the cluster that belongs to it, and the session in it. For one thread."""

    identity: str = ""
    """What its workers have in common, one after another (survey.py)."""
    address: str | None = None
    """Where its worker is now; None: it has left, and another may come."""
    member: Member | None = None
    """What that worker has answered; None: it has not been asked since it came."""
    lease: Any = None
    """Dask's future that keeps the session open; None: there is no session."""
    call: Any = None
    """The future of the last answer to the session; None: none is on its way …"""
    token: str = ""
    """… and the call's token."""
    pending: Request | None = None
    """The session's request that has not been answered yet."""
    is_loaded: bool = False
    """Whether the session has made a request."""
    dismissal_ends_ns: int | None = None
    """When a session without more files is closed, although its thread has not ended; None: it gets more."""
    away_since_ns: int | None = None
    """Since when it has had no worker, as far as that was asked; None: it had one."""
    restart_at_ns: int = 0
    """No session is opened before."""
    ending: Ending | None = None
    """None while the worker is not being ended."""

    @property
    def is_open(self) -> bool:
        """Whether there is a session."""
        return self.lease is not None

    def open(self, lease: Any) -> None:
        """Note that a session begins, as the worker's next epoch."""
        self.epoch += 1
        self.lease, self.call, self.token, self.pending = lease, None, "", None
        self.is_loaded = False
        self.dismissal_ends_ns = self.ending = None

    def away_ns(self, now_ns: int) -> int:
        """Return for how long it has had no worker; 0: it has one, or that is asked for the first time since."""
        if self.address is not None:
            self.away_since_ns = None
            return 0
        if self.away_since_ns is None:
            self.away_since_ns = now_ns
        return now_ns - self.away_since_ns

    def forget(self) -> tuple[Any, Any]:
        """Note that there is no session any more; return the futures to release."""
        futures = (self.lease, self.call)
        self.lease = self.call = self.pending = self.ending = self.dismissal_ends_ns = None
        self.token, self.is_loaded = "", False
        return futures
