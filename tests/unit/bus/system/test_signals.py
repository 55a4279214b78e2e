"""Signals as something that a poll loop can wait for."""

from __future__ import annotations

import os
import select
import signal
from typing import Any

import pytest

from virnucpro_bus.system.signals import ENDING_SIGNALS, SignalFlag, end_quietly, ending_quietly

FIRST, SECOND = signal.SIGUSR1, signal.SIGUSR2


def readable(flag: SignalFlag) -> bool:
    return bool(select.select([flag.fileno()], [], [], 0)[0])


def test_before_any_signal_there_is_nothing_to_see() -> None:
    with SignalFlag(FIRST) as flag:
        assert (flag.signal, flag.count, readable(flag)) == (0, 0, False)


def test_a_signal_is_noted_and_wakes_the_loop() -> None:
    with SignalFlag(FIRST, SECOND) as flag:
        signal.raise_signal(SECOND)
        assert (flag.signal, flag.count, readable(flag)) == (SECOND, 1, True)


def test_signals_are_counted_and_the_last_one_is_kept() -> None:
    with SignalFlag(FIRST, SECOND) as flag:
        for number in (SECOND, FIRST, SECOND, FIRST):
            signal.raise_signal(number)
        assert (flag.signal, flag.count) == (FIRST, 4)


def test_once_drained_it_wakes_again_with_the_next_signal() -> None:
    with SignalFlag(FIRST) as flag:
        for count in (1, 2):
            signal.raise_signal(FIRST)
            flag.drain()
            assert (flag.count, readable(flag)) == (count, False)
        signal.raise_signal(FIRST)
        assert readable(flag)


def test_draining_when_nothing_has_come_does_nothing() -> None:
    with SignalFlag(FIRST) as flag:
        flag.drain()
        assert flag.count == 0


def test_more_signals_than_a_pipe_can_hold_are_all_counted() -> None:
    with SignalFlag(FIRST) as flag:
        for _ in range(70_000):
            signal.raise_signal(FIRST)
        assert flag.count == 70_000


def test_afterwards_signals_do_what_they_did_before() -> None:
    seen: list[int] = []
    before = signal.signal(FIRST, lambda number, frame: seen.append(number))
    try:
        with SignalFlag(FIRST) as flag:
            signal.raise_signal(FIRST)
        signal.raise_signal(FIRST)
        assert (seen, flag.count) == ([FIRST], 1)
    finally:
        signal.signal(FIRST, before)


def test_it_leaves_no_descriptor_open() -> None:
    before = len(os.listdir("/proc/self/fd"))
    with SignalFlag(FIRST):
        pass
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize("number", sorted(set(ENDING_SIGNALS) - {signal.SIGINT, signal.SIGTERM}))
def test_a_signal_that_the_parent_has_made_us_deaf_to_is_not_noted(number: signal.Signals) -> None:
    before = signal.signal(number, signal.SIG_IGN)
    try:
        with SignalFlag(number) as flag:
            signal.raise_signal(number)
            assert flag.count == 0
        assert signal.getsignal(number) is signal.SIG_IGN
    finally:
        signal.signal(number, before)


@pytest.mark.parametrize("handler", [signal.default_int_handler, signal.SIG_IGN])
def test_sigint_ends_a_process_quietly_only_where_it_would_raise(handler: Any) -> None:
    previous = signal.signal(signal.SIGINT, handler)
    try:
        with ending_quietly():
            during = signal.getsignal(signal.SIGINT)
        after = signal.getsignal(signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, previous)
    assert (during is end_quietly, after) == (handler is signal.default_int_handler, handler)
