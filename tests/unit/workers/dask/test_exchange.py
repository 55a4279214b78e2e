"""The two ends of a session: the job's thread asks, tasks of Dask answer."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from virnucpro_bus.errors import ChannelError
from workers.protocol import Answer, Settled, Task, Unable, decode_request, encode_answer

pytest.importorskip("distributed", reason="Dask is not installed: pip install 'virnucpro-bus[dask]'")

from workers.dask.member.session import Exchange

TASK = Task("a.fa", b"/a.fa", b"/out", 1)


def in_thread(call: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=call)
    thread.start()
    return thread


def answer(number: int, task: Task | None) -> bytes:
    return encode_answer(Answer(number, None if task is None else (task,)))


def test_the_first_step_returns_the_first_request_and_each_answer_the_next_one() -> None:
    exchange, got = Exchange(0, 1), []

    def work() -> None:
        got.append(exchange.ask().tasks)
        got.append(exchange.ask([Settled(b"frame")]).tasks)
        exchange.end()

    thread = in_thread(work)
    assert decode_request(exchange.step(b"")).settled == ()
    assert decode_request(exchange.step(answer(1, TASK))).settled == (Settled(b"frame"),)
    assert exchange.step(answer(2, None)) == b""
    thread.join()
    assert got == [(TASK,), None]


def test_a_step_that_dask_repeats_returns_the_same_and_hands_out_no_file_twice() -> None:
    exchange, got = Exchange(0, 1), []

    def work() -> None:
        got.append(exchange.ask().tasks)
        got.append(exchange.ask([Settled(b"frame")]).tasks)

    thread = in_thread(work)
    exchange.step(b"")
    once = exchange.step(answer(1, TASK))
    assert exchange.step(answer(1, TASK)) == once
    exchange.end()
    exchange.step(answer(2, None))
    thread.join()
    assert got == [(TASK,), None]


@pytest.mark.parametrize("is_asking", [True, False])
def test_closing_ends_the_jobs_thread_when_it_asks(is_asking: bool) -> None:
    exchange, errors = Exchange(0, 1), []
    may_ask = threading.Event()

    def work() -> None:
        may_ask.wait()
        try:
            exchange.ask()
        except ChannelError as error:
            errors.append(str(error))

    if is_asking:
        may_ask.set()
    thread = in_thread(work)
    exchange.close()
    may_ask.set()
    thread.join()
    assert errors == ["the launcher has ended this session"]


def test_a_file_that_dask_brings_waits_until_the_job_is_loaded_and_its_request_tells_who_has_done_it() -> None:
    exchange, got = Exchange(3, 7), []
    is_loaded = threading.Event()

    def work() -> None:
        is_loaded.wait()
        got.append(exchange.ask().tasks)
        got.append(exchange.ask([Settled(b"frame")]).tasks)

    def bring() -> None:
        replies.append(exchange.turn(TASK))

    replies: list[bytes] = []
    threads = [in_thread(work), in_thread(bring)]
    is_loaded.set()
    threads[1].join()
    request = decode_request(replies[0])
    assert (request.slot, request.epoch, request.settled) == (3, 7, (Settled(b"frame"),))
    # The call for the first request comes late, and is answered all the same.
    assert decode_request(exchange.step(b"")).settled == ()
    exchange.end()
    exchange.turn(None)
    threads[0].join()
    assert got == [(TASK,), None]


def test_a_file_that_another_worker_has_claimed_is_left_alone() -> None:
    exchange = Exchange(0, 1)
    thread = in_thread(lambda: exchange.ask())
    assert exchange.turn(TASK, lambda number: number != 1) == b""
    exchange.end()
    assert exchange.turn(None) == b""
    thread.join()


@pytest.mark.parametrize("first", [None, Unable("no GPU")], ids=["it has ended", "the job does not load"])
def test_a_session_that_works_no_more_does_nothing_with_a_file(first: Unable | None) -> None:
    exchange = Exchange(0, 1)
    thread = in_thread(exchange.end if first is None else lambda: exchange.ask(unable=first))
    claimed: set[int] = set()

    def claim(number: int) -> bool:
        claimed.add(number)
        return True

    assert [exchange.turn(TASK, claim) for _ in range(2)] == [b"", b""]
    assert claimed == set()
    exchange.end()
    if first is not None:
        exchange.step(answer(1, None))
    thread.join()
