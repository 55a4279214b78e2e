"""What viewers ask for is computed one at a time, and takes a small share of a core."""

from __future__ import annotations

import threading

import pytest

from monitor.web import pace
from monitor.web.pace import BusyError, Pace
from virnucpro_bus.clock import ManualClock


class Machine:
    """A clock that advances when somebody waits, and by what is computed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.clock = ManualClock()
        self.waited: list[float] = []
        self._used_ns = 0
        monkeypatch.setattr(pace, "thread_cpu_ns", lambda: self._used_ns)
        self.pace = Pace(self.clock, self.wait)

    def wait(self, seconds: float) -> None:
        self.waited.append(seconds)
        self.clock.advance(seconds)

    def compute(self, seconds: float) -> None:
        self._used_ns += round(seconds * 1e9)
        self.clock.advance(seconds)


def test_who_asks_all_the_time_gets_a_twentieth_of_a_core(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(monkeypatch)
    start_ns = machine.clock.mono_ns()
    for _ in range(100):
        machine.pace.run(lambda: machine.compute(0.01))
    assert 100 * 0.01 / ((machine.clock.mono_ns() - start_ns) / 1e9) == pytest.approx(0.05, rel=0.02)


def test_who_asks_seldom_does_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(monkeypatch)
    for _ in range(10):
        machine.pace.run(lambda: machine.compute(0.01))
        machine.clock.advance(0.2)
    assert machine.waited == []


def test_what_raises_counts_too(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(monkeypatch)

    def fail() -> None:
        machine.compute(0.01)
        raise ZeroDivisionError

    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            machine.pace.run(fail)
    assert machine.waited == [pytest.approx(0.19)]


def test_whose_turn_does_not_come_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "TURN_SECONDS", 0.01)
    busy, done = threading.Event(), threading.Event()
    slow = Pace(ManualClock(), lambda seconds: None)

    def wait() -> None:
        busy.set()
        done.wait(20)

    thread = threading.Thread(target=slow.run, args=(wait,))
    thread.start()
    busy.wait(20)
    with pytest.raises(BusyError):
        slow.run(lambda: None)
    done.set()
    thread.join()
    assert slow.run(lambda: "free") == "free"
