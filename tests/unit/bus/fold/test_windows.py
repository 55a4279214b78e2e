"""The rolling window against a list of everything that was ever completed."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from virnucpro_bus.clock import NANOSECONDS
from virnucpro_bus.fold.windows import RollingWindow, Span

MINUTE_NS = 60 * NANOSECONDS

# Whole seconds make ties and files exactly at the edge of the window likely.
seconds = st.one_of(st.integers(0, 200).map(float), st.floats(0, 200))


def ns(value: float) -> int:
    return round(value * NANOSECONDS)


@st.composite
def spans(draw: st.DrawFn) -> Span:
    end_ns = ns(draw(seconds))
    return Span(end_ns, end_ns - ns(draw(seconds)), draw(st.integers(0, 10_000)))


many_spans: SearchStrategy[list[Span]] = st.lists(spans(), max_size=40)


def window_of(completions: list[Span]) -> RollingWindow:
    window = RollingWindow()
    for span in completions:
        window.add(span.start_ns, span.end_ns, span.sequences)
    return window


def by_hand(completions: list[Span], now_ns: int, in_hand: list[Span]) -> float | None:
    """The definition: of the last 60 s and the last 10 files, whichever holds more."""
    recent = [span for span in completions if span.end_ns >= now_ns - MINUTE_NS]
    chosen = max(recent, sorted(completions)[-10:], key=len) + in_hand
    elapsed_ns = max((now_ns - span.start_ns for span in chosen), default=0)
    if elapsed_ns <= 0:
        return None
    return float(Fraction(sum(span.sequences for span in chosen) * NANOSECONDS, elapsed_ns))


def now_after(completions: list[Span], idle_seconds: float) -> int:
    return max((span.end_ns for span in completions), default=0) + ns(idle_seconds)


@given(many_spans, st.lists(spans(), max_size=3), seconds)
def test_the_rate_is_that_of_the_definition(completions: list[Span], held: list[Span], idle: float) -> None:
    now_ns = now_after(completions + held, idle)
    rate = window_of(completions).throughput(now_ns, held)
    assert rate == by_hand(completions, now_ns, held)


@given(many_spans.flatmap(lambda given: st.tuples(st.just(given), st.permutations(given))), seconds)
def test_the_order_in_which_completions_arrive_changes_nothing(
    orders: tuple[list[Span], list[Span]], idle: float
) -> None:
    first, second = map(window_of, orders)
    now_ns = now_after(orders[0], idle)
    assert len(first) == len(second)
    assert first.throughput(now_ns) == second.throughput(now_ns)


@given(many_spans.filter(bool))
def test_a_rate_is_never_negative_nor_infinite(completions: list[Span]) -> None:
    rate = window_of(completions).throughput(now_after(completions, 0))
    assert rate is None or 0 <= rate < float("inf")


def test_thousands_that_come_late_end_as_if_in_time() -> None:
    completions = [Span(ns(at / 100), ns(at / 100) - 5, at) for at in range(8_000)]
    gap_filled_last = completions[4_000:] + completions[3_999::-1]
    assert list(window_of(gap_filled_last)) == list(window_of(completions))


def test_an_idle_window_decays_towards_zero() -> None:
    window = window_of([Span(ns(10), 0, 1_000)])
    rates = [window.throughput(ns(at)) for at in (10, 20, 100, 1_000)]
    assert rates == [100.0, 50.0, 10.0, 1.0]


def test_a_window_of_slow_files_holds_ten_of_them() -> None:
    window = window_of([Span(ns(100 * at), ns(100 * at - 100), 50) for at in range(1, 31)])
    assert len(window) == 10
    assert window.throughput(ns(3_000)) == 0.5


def test_a_window_of_fast_files_holds_those_of_a_minute() -> None:
    window = window_of([Span(ns(at), ns(at - 1), 7) for at in range(1, 201)])
    assert len(window) == 61
    assert window.throughput(ns(200)) == 7.0


def test_a_completion_that_comes_far_too_late_is_not_kept() -> None:
    window = window_of([Span(ns(at), ns(at - 1), 7) for at in range(100, 120)])
    window.add(0, ns(1), 1_000_000)
    assert window.throughput(ns(119)) == 7.0


def test_the_file_in_hand_moves_the_rate() -> None:
    window = window_of([Span(ns(10), 0, 100)])
    assert window.throughput(ns(20), [Span(ns(20), ns(10), 300)]) == 20.0


def test_the_file_in_hand_alone_is_enough_for_a_rate() -> None:
    assert RollingWindow().throughput(ns(5), [Span(ns(5), ns(3), 10)]) == 5.0


@pytest.mark.parametrize("in_hand", [[], [Span(ns(5), ns(5), 0)]], ids=["nothing", "a file just begun"])
def test_with_nothing_to_go_by_the_rate_is_unknown(in_hand: list[Span]) -> None:
    assert RollingWindow().throughput(ns(5), in_hand) is None
