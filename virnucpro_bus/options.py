"""Command line options that several commands share."""

from __future__ import annotations

import math
from typing import Any

import click


class IntervalSeconds(click.FloatRange):
    """Seconds between two looks, from 0.1 to 3600."""

    def __init__(self) -> None:
        super().__init__(0.1, 3600)

    def convert(self, value: Any, parameter: click.Parameter | None, context: click.Context | None) -> float:
        """Raises BadParameter; for nan too, which is on no side of any limit."""
        seconds = float(super().convert(value, parameter, context))
        if math.isnan(seconds):
            self.fail("nan is not a number of seconds", parameter, context)
        return seconds


interval_option = click.option(
    "-i", "--interval", "interval_seconds", default=2.0, show_default=True, metavar="SECONDS",
    type=IntervalSeconds(), help="Between two pictures, and two log entries.",
)  # fmt: skip
