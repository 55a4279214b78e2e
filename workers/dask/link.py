"""The link: the launcher's end of a Dask cluster.

Dask has threads of its own. What they report is put into an inbox, and the launcher's thread takes it from there;
what the launcher asks of Dask does not wait for an answer.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import secrets
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from distributed import Client
from distributed.scheduler import KilledWorker

from virnucpro_bus.clock import Clock
from virnucpro_bus.dask.topic import MessageSubscription, Subscription, topic_of
from virnucpro_bus.system.inbox import Inbox
from virnucpro_bus.text import text_of, visible
from workers.dask.arrivals import Moment
from workers.dask.member.carried import make_opening, make_step, make_survey, make_turn

RESTART_SECONDS = 20.0
"""Time for a nanny to end a worker and start another."""
CLOSE_SECONDS = 5.0
_MEMBERS = "all"
"""The topic on which Dask's scheduler reports who joins and leaves."""
_LOST_BY_DASK = (KilledWorker, concurrent.futures.CancelledError, asyncio.CancelledError, OSError)


@dataclass(frozen=True)
class Frame:
    """A frame of the run's topic."""

    frame: bytes
    arrived: Moment


@dataclass(frozen=True)
class Joined:
    """A worker has joined the cluster."""

    address: str


@dataclass(frozen=True)
class Left:
    """A worker has left the cluster, or was removed from it."""

    address: str


@dataclass(frozen=True)
class Surveyed:
    """A worker's answer to a question of the inventory; an exception: it could not answer."""

    address: str
    answer: bytes | Exception


@dataclass(frozen=True)
class Replied:
    """The request that followed an answer to a worker's session; an exception: the task has failed."""

    token: str
    """That of the call, as `ask` returned it."""
    request: bytes | BaseException
    arrived: Moment


@dataclass(frozen=True)
class NotRestarted:
    """A worker that was to be restarted could not be."""

    address: str
    reason: str


Report = Frame | Joined | Left | Surveyed | Replied | NotRestarted


class Link:
    """Our connection to a cluster, for one run. For the launcher's thread."""

    def __init__(self, client: Client, run: str, clock: Clock) -> None:
        """Subscribe to what the workers publish and to who joins and leaves. `client` stays the caller's."""
        self.inbox: Inbox[Report] = Inbox()
        self._client = client
        self._run = run
        self._clock = clock
        self._session = topic_of(run)
        self._open, self._step, self._survey = make_opening(), make_step(), make_survey()
        self._turn = make_turn()
        self._followed: list[MessageSubscription] = []
        self._events = Subscription(client, self._session, self._receive_frame)
        client.subscribe_topic(_MEMBERS, self._receive_member)

    @property
    def is_connected(self) -> bool:
        """Whether there is a scheduler. Once there is none, all that was asked of the cluster is lost."""
        return bool(self._client.status == "running")

    def addresses(self) -> list[str]:
        """Return the addresses of the workers that are there now. Waits for the scheduler's answer."""
        # scheduler_info() names only five workers in some versions of Dask.
        return list(self._client.nthreads())

    def survey(self, addresses: Sequence[str], question: bytes) -> None:
        """Have workers answer a question of the inventory: one Surveyed for each."""

        def ask() -> None:
            try:
                answers = self._client.run(self._survey, question, workers=list(addresses), on_error="return")
            except Exception as error:
                answers = dict.fromkeys(addresses, error)
            for address in addresses:
                self.inbox.put(Surveyed(address, answers.get(address, ConnectionError("it has left"))))

        _in_background(ask)

    def open_session(self, address: str, config: bytes, folder: bytes, sampler: str) -> Any:
        """Open a session in a worker; return its lease. It lasts until the lease is released."""
        return self._client.submit(
            self._open, config, folder, sampler, key=self._key("session"), pure=False, **_pinned(address)
        )

    def ask(self, address: str, lease: Any, answer: bytes) -> tuple[str, Any]:
        """Pass an answer to a worker's session; return the call's token, and its future. A Replied follows."""
        token = self._key("file" if answer else "load")
        future = self._client.submit(
            self._step, self._session, answer, lease, key=token, pure=False, **_pinned(address)
        )
        return self._awaited(token, future)

    def offer(self, addresses: Sequence[str], answer: bytes, *, loosely: bool) -> tuple[str, Any]:
        """Pass an answer to the session of one of these workers, which Dask chooses; otherwise as `ask`.

        `loosely`: Dask may choose another one as well, and moves the task to one that is idle.
        """
        token = self._key("file")
        future = self._client.submit(
            self._turn,
            self._session,
            answer,
            key=token,
            pure=False,
            workers=list(addresses),
            allow_other_workers=loosely,
            retries=0,
        )
        return self._awaited(token, future)

    def follow(self, topic: str, on_message: Callable[[object], object]) -> None:
        """Pass on the messages of one more topic of the scheduler, in the thread of Dask's event loop."""
        self._followed.append(MessageSubscription(self._client, topic, on_message))

    def _awaited(self, token: str, future: Any) -> tuple[str, Any]:
        self._client.loop.add_callback(self._await_reply, token, future)
        return token, future

    def release(self, *futures: Any) -> None:
        """Release futures: Dask forgets their tasks, and a session ends."""
        for future in futures:
            if future is not None:
                future.release()

    @staticmethod
    def is_lost_by_dask(error: BaseException) -> bool:
        """Whether a task has failed because its worker, or the way to it, is gone."""
        return isinstance(error, _LOST_BY_DASK)

    def restart(self, address: str) -> None:
        """End a worker's process and have its nanny start another; NotRestarted if that fails."""

        def restart() -> None:
            try:
                done = self._client.restart_workers([address], timeout=RESTART_SECONDS, raise_for_error=False)
            except Exception as error:
                self.inbox.put(NotRestarted(address, visible(text_of(error)) or type(error).__name__))
                return
            if done.get(address) == "timed out":
                self.inbox.put(NotRestarted(address, f"its nanny has not answered for {RESTART_SECONDS:g} s"))

        _in_background(restart)

    def close(self) -> None:
        """Receive nothing more. Safe to call twice."""
        for subscription in (self._events, *self._followed):
            subscription.close()
        with suppress(Exception):  # the scheduler has gone
            self._client.unsubscribe_topic(_MEMBERS)
        self.inbox.close()

    # In the thread of Dask's event loop.

    def _receive_frame(self, frame: bytes) -> None:
        self.inbox.put(Frame(frame, self._now()))

    def _receive_member(self, event: object) -> None:
        match event:
            case (_, {"action": "add-worker", "worker": str(address)}):
                self.inbox.put(Joined(address))
            case (_, {"action": "remove-worker", "worker": str(address)}):
                self.inbox.put(Left(address))

    async def _await_reply(self, token: str, future: Any) -> None:
        try:
            request = await future
        except (Exception, asyncio.CancelledError) as error:
            request = error
        self.inbox.put(Replied(token, request, self._now()))

    def _now(self) -> Moment:
        return Moment(self._clock.wall_ns(), self._clock.mono_ns())

    def _key(self, what: str) -> str:
        return f"{self._session}-{what}-{secrets.token_hex(8)}"


def ask_all(client: Any, question: bytes) -> dict[str, bytes | Exception]:
    """Have all workers of a cluster answer a question of the inventory; return the answers by address. Waits."""
    answers: dict[str, bytes | Exception] = client.run(make_survey(), question, on_error="return")
    return answers


def _pinned(address: str) -> dict[str, Any]:
    """Return how a task is submitted that runs on one worker or not at all: trying again is up to us.

    It comes before those that Dask has brought there.
    """
    return {"workers": [address], "allow_other_workers": False, "retries": 0, "priority": 1}


def _in_background(call: Callable[[], None]) -> None:
    """Make a call of Dask that waits. A daemon's thread: a worker that hangs must not keep the launcher."""
    threading.Thread(target=call, name="dask-call", daemon=True).start()
