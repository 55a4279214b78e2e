"""Command line options that several commands share."""

from __future__ import annotations

import math
import os
import re
from typing import Any

import click
from click.shell_completion import CompletionItem

from virnucpro_bus.events.vocabulary import KINDS
from virnucpro_bus.system.console import say

_SIZE = re.compile(r"([0-9]{1,18})([KMG]?)", re.IGNORECASE)
_SHIFTS = {"": 0, "K": 10, "M": 20, "G": 30}
_LEAST_BYTES, _MOST_BYTES = 1 << 10, 1_000_000 << 30


class PathArgument(click.Path):
    """A path. None that is empty: it would be taken for the current folder."""

    def convert(
        self, value: Any, parameter: click.Parameter | None, context: click.Context | None
    ) -> str | bytes | os.PathLike[str]:
        """Raises BadParameter."""
        if value == "":
            self.fail("the name is empty", parameter, context)
        return super().convert(value, parameter, context)


class TargetArgument(PathArgument):
    """What can be watched: a run folder, an address, or, with `or_file`, a capture. Gives the text as it is."""

    def __init__(self, *, or_file: bool = False) -> None:
        super().__init__(readable=False)
        self._completed_as = "file" if or_file else "dir"

    def shell_complete(
        self, context: click.Context, parameter: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        return [CompletionItem(incomplete, type=self._completed_as)]


class SecondsArgument(click.FloatRange):
    """A number of seconds from one to another number."""

    def convert(self, value: Any, parameter: click.Parameter | None, context: click.Context | None) -> float:
        """Raises BadParameter; for nan too, which is on no side of any limit."""
        seconds = float(super().convert(value, parameter, context))
        if math.isnan(seconds):
            self.fail("nan is not a number of seconds", parameter, context)
        return seconds


interval_option = click.option(
    "-i", "--interval", "interval_seconds", default=2.0, show_default=True, metavar="SECONDS",
    type=SecondsArgument(0.1, 3600), help="Between two pictures, and two log entries.",
)  # fmt: skip


def _parse_size(context: click.Context, parameter: click.Parameter, value: str | None) -> int | None:
    """Bytes, with K, M or G for the powers of 1024. Raises BadParameter."""
    if value is None:
        return None
    written = _SIZE.fullmatch(value)
    size = int(written[1]) << _SHIFTS[written[2].upper()] if written else 0
    if not _LEAST_BYTES <= size <= _MOST_BYTES:
        raise click.BadParameter(f"'{value}': write a size from 1K to 1000000G, for example 10M")
    return size


log_rotate_option = click.option(
    "--log-rotate", "log_rotate_bytes", callback=_parse_size, metavar="SIZE",
    help="Begin a new metrics log where it would be longer than SIZE (10M, 1G); the nine before it are kept.",
)  # fmt: skip


def _parse_kinds(context: click.Context, parameter: click.Parameter, value: str | None) -> frozenset[str] | None:
    if value is None:
        return None
    kinds = frozenset(f"{name.strip().removesuffix('/')}/" for name in value.split(","))
    if "/" in kinds:
        raise click.BadParameter("write kinds with commas between them, for example file.completed,work.stolen")
    for kind in sorted(kinds - KINDS.keys()):
        # A newer version's kinds are events too, but more often it is a slip of the pen.
        say(f"{kind[:-1]}: not a kind that this version knows")
    return kinds


def _complete_kinds(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    before, comma, begun = incomplete.rpartition(",")
    kinds = sorted(kind.removesuffix("/") for kind in KINDS)
    return [CompletionItem(before + comma + kind) for kind in kinds if kind.startswith(begun)]


kinds_option = click.option(
    "--kinds", callback=_parse_kinds, metavar="K,...", shell_complete=_complete_kinds,
    help="Only events of these kinds, for example file.completed,work.stolen.",
)  # fmt: skip
"""Gives the kinds as they are on the wire; None for all."""
