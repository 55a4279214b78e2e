"""Command line options that several commands share."""

from __future__ import annotations

import math
from typing import Any

import click

from virnucpro_bus.events import KINDS
from virnucpro_bus.text import visible


class Seconds(click.FloatRange):
    """A number of seconds from one to another number."""

    def convert(self, value: Any, parameter: click.Parameter | None, context: click.Context | None) -> float:
        """Raises BadParameter; for nan too, which is on no side of any limit."""
        seconds = float(super().convert(value, parameter, context))
        if math.isnan(seconds):
            self.fail("nan is not a number of seconds", parameter, context)
        return seconds


interval_option = click.option(
    "-i", "--interval", "interval_seconds", default=2.0, show_default=True, metavar="SECONDS",
    type=Seconds(0.1, 3600), help="Between two pictures, and two log entries.",
)  # fmt: skip


def _parse_kinds(context: click.Context, parameter: click.Parameter, value: str | None) -> frozenset[str] | None:
    if value is None:
        return None
    kinds = frozenset(f"{name.strip().removesuffix('/')}/" for name in value.split(","))
    if "/" in kinds:
        raise click.BadParameter("write kinds with commas between them, for example file.completed,work.stolen")
    for kind in sorted(kinds - KINDS.keys()):
        # A newer version's kinds are events too, but more often it is a slip of the pen.
        click.echo(f"virnucpro-bus: {visible(kind)[:-1]}: not a kind that this version knows", err=True)
    return kinds


kinds_option = click.option(
    "--kinds", callback=_parse_kinds, metavar="K,...",
    help="Only events of these kinds, for example file.completed,work.stolen.",
)  # fmt: skip
"""Gives the kinds as they are on the wire; None for all."""
