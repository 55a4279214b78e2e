"""Figures as text."""

from __future__ import annotations

import pytest

from virnucpro_bus.units import duration, stopwatch


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "n/a"),
        (0.0, "0 s"),
        (0.0004, "0 s"),
        (0.017, "17 ms"),
        (0.9994, "999 ms"),
        (0.9996, "1.0 s"),
        (-0.3, "-300 ms"),
        (14.24, "14.2 s"),
        (59.94, "59.9 s"),
        (59.96, "1m00s"),
        (192.0, "3m12s"),
        (7500.0, "2h05m"),
        (90_061.0, "1d01h"),
        (-14.2, "-14.2 s"),
        (1e12, "11574074d01h"),
    ],
)
def test_a_length_of_time_is_written_in_units_of_its_size(seconds: float | None, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0:00"),
        (42.9, "0:42"),
        (725.0, "12:05"),
        (3599.9, "59:59"),
        (3600.0, "1:00:00"),
        (90_125.0, "25:02:05"),
    ],
)
def test_a_time_that_runs_is_written_in_whole_seconds(seconds: float, text: str) -> None:
    assert stopwatch(seconds) == text
