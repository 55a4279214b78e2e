"""What Dask carries to the workers of a cluster: functions by value, which run whatever can be imported there.

A function that can be imported travels as its name alone. In a worker whose job has modules of the names of ours,
that name is the job's (system/own_packages.py); and a worker that lacks this program could say so only by a
traceback. What is defined inside a function has no name to import, so it travels whole. It may use nothing of this
module.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any


def make_survey() -> Callable[..., Awaitable[bytes]]:
    """Return the function that answers a question of the inventory in a worker, for Dask's `run`."""

    async def survey(question: bytes, dask_worker: Any) -> bytes:
        import asyncio

        from workers.dask.member.survey import reply_to

        nanny = dask_worker.nanny or ""
        return await asyncio.to_thread(reply_to, question, str(dask_worker.name), str(nanny))

    return survey


def make_opening() -> Callable[[bytes, bytes, str], None]:
    """Return the task that opens a session in a worker; the session lasts as long as the task's future."""

    def open_session(config: bytes, folder: bytes, sampler: str) -> None:
        from distributed import get_worker

        from workers.dask.member.session import Session

        worker = get_worker()
        Session(config, folder, sampler, worker, worker.get_current_task()).join()

    return open_session


def make_step() -> Callable[[str, bytes, None], bytes]:
    """Return the task that passes an answer to the session of this name, and returns the request that follows.

    `opened` is what the session's opening has returned: Dask runs that task first.
    """

    def step(session: str, answer: bytes, opened: None) -> bytes:
        from distributed import get_worker

        request: bytes = get_worker().plugins[session].step(answer)
        return request

    return step


def make_turn() -> Callable[[str, bytes], bytes]:
    """Return the task that has the session of this name, where Dask has put it, work on the file in an answer."""

    def turn(session: str, answer: bytes) -> bytes:
        from distributed import get_worker

        request: bytes = get_worker().plugins[session].turn(answer)
        return request

    return turn
