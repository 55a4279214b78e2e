"""The two ends of a session: the job's thread asks, tasks of Dask answer."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from virnucpro_bus.errors import ChannelError
from workers.protocol import Answer, Settled, Task, decode_request, encode_answer

pytest.importorskip("distributed", reason="Dask is not installed: pip install 'virnucpro-bus[dask]'")

from workers.dask.member.session import Exchange

TASK = Task("a.fa", b"/a.fa", b"/out", 1)


def in_thread(call: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=call)
    thread.start()
    return thread


def answer(number: int, task: Task | None) -> bytes:
    return encode_answer(Answer(number, task))


def test_the_first_step_returns_the_first_request_and_each_answer_the_next_one() -> None:
    exchange, got = Exchange(), []

    def work() -> None:
        got.append(exchange.ask().task)
        got.append(exchange.ask(Settled(b"frame")).task)
        exchange.end()

    thread = in_thread(work)
    assert decode_request(exchange.step(b"")).settled is None
    assert decode_request(exchange.step(answer(1, TASK))).settled == Settled(b"frame")
    assert exchange.step(answer(2, None)) == b""
    thread.join()
    assert got == [TASK, None]


def test_a_step_that_dask_repeats_returns_the_same_and_hands_out_no_file_twice() -> None:
    exchange, got = Exchange(), []

    def work() -> None:
        got.append(exchange.ask().task)
        got.append(exchange.ask(Settled(b"frame")).task)

    thread = in_thread(work)
    exchange.step(b"")
    once = exchange.step(answer(1, TASK))
    assert exchange.step(answer(1, TASK)) == once
    exchange.end()
    exchange.step(answer(2, None))
    thread.join()
    assert got == [TASK, None]


@pytest.mark.parametrize("is_asking", [True, False])
def test_closing_ends_the_jobs_thread_when_it_asks(is_asking: bool) -> None:
    exchange, errors = Exchange(), []
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
