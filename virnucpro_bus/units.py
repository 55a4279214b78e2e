"""Figures as text for people, in one form everywhere. Pure functions."""

from __future__ import annotations

UNKNOWN = "n/a"
"""The text for every figure that is unknown (None)."""


def between(least: str, greatest: str) -> str:
    """Write the range of a figure, in parentheses."""
    return f"({least} to {greatest})"


def likely_duration(seconds: float | None, low_and_high: tuple[float, float | None] | None) -> str:
    """Write an estimated length of time with its range: 4.2 s (3.9 s to 5.0 s), at least 3.9 s; or n/a.

    The range is left out where it would not differ from the time.
    """
    if low_and_high is None:
        return duration(seconds)
    low, high = low_and_high
    if seconds is None or high is None:
        return f"at least {duration(low)}"
    ends = [duration(low), duration(high)]
    return duration(seconds) if set(ends) == {duration(seconds)} else f"{duration(seconds)} {between(*ends)}"


def stopwatch(seconds: float) -> str:
    """Write a length of time that still runs, in whole seconds: 0:42, 12:05, 1:02:05."""
    minutes, second = divmod(int(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02d}:{second:02d}" if hours else f"{minute}:{second:02d}"


def duration(seconds: float | None) -> str:
    """Write a length of time: 0 s, 17 ms, 4.2 s, 3m12s, 2h05m, 3d04h; `n/a` when it is None."""
    if seconds is None:
        return UNKNOWN
    if seconds < 0:
        return f"-{duration(-seconds)}"
    if seconds < 0.9995:
        milliseconds = round(seconds * 1000)
        return f"{milliseconds} ms" if milliseconds else "0 s"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    days, hour = divmod(hours, 24)
    if days:
        return f"{days}d{hour:02d}h"
    return f"{hour}h{minute:02d}m" if hour else f"{minute}m{second:02d}s"
