"""Captures that an earlier development version wrote are read exactly as that version read them.

But for figures that it got wrong: these are corrected in the expected reports.
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.lab import Lab
from tests.support.paths import DATA

CAPTURES = sorted((DATA / "captures").iterdir())
ROUNDING = 1e-11
"""The order of a sum is not promised, nor how Python's sum() rounds (better from 3.12 on), and a difference of two
sums shows that more than they do."""

each_capture = pytest.mark.parametrize("folder", CAPTURES, ids=lambda folder: str(folder.name))


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every value in a JSON document with the path to it, in order; an empty object or list is a value."""
    if value and isinstance(value, dict):
        for name, item in value.items():
            yield from leaves(item, f"{path}.{name}")
    elif value and isinstance(value, list):
        for at, item in enumerate(value):
            yield from leaves(item, f"{path}[{at}]")
    else:
        yield path, value


def are_equal(one: Any, other: Any) -> bool:
    """Whether two values are the same, of the same type; floats up to ROUNDING."""
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=ROUNDING, abs_tol=ROUNDING)
    return type(one) is type(other) and bool(one == other)


def differences(now: Any, then: Any) -> dict[str, tuple[Any, Any]]:
    """The values that differ, by path. Fails where the two documents have different fields or another order."""
    found, expected = dict(leaves(now)), dict(leaves(then))
    assert list(found) == list(expected)
    return {path: (found[path], expected[path]) for path in found if not are_equal(found[path], expected[path])}


def rows(table: str) -> list[list[str | float]]:
    """The cells of a CSV table, its header included; what is written with a decimal point is a number."""
    return [[float(cell) if is_decimal(cell) else cell for cell in row] for row in csv.reader(table.splitlines())]


def is_decimal(cell: str) -> bool:
    return "." in cell and cell.replace(".", "", 1).isdecimal()


def test_there_is_a_plain_and_a_compressed_capture() -> None:
    beginnings = {(folder / "run.vbus").read_bytes()[:4] for folder in CAPTURES}
    assert beginnings == {b"\x89VBU", b"\x28\xb5\x2f\xfd"}


@each_capture
def test_an_old_capture_gives_the_same_report(lab: Lab, folder: Path) -> None:
    ended = lab.run("replay", folder, "--once", "--json")
    assert (ended.wait(), ended.stderr) == (0, "")
    then = (folder / "report.json").read_text(encoding="utf-8")
    assert differences(json.loads(ended.stdout), json.loads(then)) == {}


@each_capture
def test_an_old_capture_gives_the_same_table_of_files(lab: Lab, folder: Path) -> None:
    ended = lab.run("export", folder)
    assert (ended.wait(), ended.stderr) == (0, "")
    then = (folder / "export.csv").read_text(encoding="utf-8")
    assert differences(rows(ended.stdout), rows(then)) == {}
