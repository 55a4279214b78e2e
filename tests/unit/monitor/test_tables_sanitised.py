"""Tables that a spreadsheet may open: nothing from an event is a formula in them, and nothing is lost."""

from __future__ import annotations

import csv
import io
import random
import sys
import unicodedata
from collections.abc import Callable, Sequence, Set
from functools import cache
from pathlib import Path

import pytest

from monitor.log.metrics_log import MetricsLog
from tests.support.harmful_texts import (
    RANDOM_STRINGS,
    TEXTS,
    assert_all_is_seen,
    assert_harmless,
    harmful,
    is_space,
    marked,
)
from tests.support.pictures import row
from virnucpro_bus.clock import ManualClock
from virnucpro_bus.health.rows import Row
from virnucpro_bus.metrics import UNKNOWN_UTILIZATION
from virnucpro_bus.tables.row_formats import csv_lines
from virnucpro_bus.tables.rows import ExportedFile
from virnucpro_bus.text import spreadsheet_safe, visible

NAMED = ("host", "uuid", "device_name", "current_file")
EXPORTED: ExportedFile = {
    "ended": "2026-11-23T12:00:00Z",
    "host": "",
    "device": "",
    "file": "",
    "attempt": 1,
    "sequences": 1,
    "duration_seconds": 1.5,
    "compute_percent": None,
    "memory_peak_bytes": None,
    "energy_joules": None,
    "simulated": None,
    "outcome": "completed",
    "reason": None,
    "started": None,
    "run": "",
    "stolen_from": None,
    "device_index": None,
    "device_name": None,
    "size_bytes": None,
    "sequences_per_second": None,
}
EVERY = range(sys.maxunicode + 1)
Table = Callable[[Path, Sequence[str]], list[str]]


def log_of(path: Path, texts: Sequence[str]) -> list[str]:
    """What a metrics log holds of the texts, four a row, read back."""
    rows: list[Row] = [
        ({**row(0)[0], **dict(zip(NAMED, texts[first : first + 4], strict=False))}, UNKNOWN_UTILIZATION)  # type: ignore[typeddict-item]
        for first in range(0, len(texts), 4)
    ]
    MetricsLog(path, ManualClock()).write(rows)
    return cells_of(path.read_bytes().decode(), NAMED)[: len(texts)]


def export_of(path: Path, texts: Sequence[str]) -> list[str]:
    """What an exported table holds of the texts, six a row, read back."""
    names = ("host", "device", "file", "reason", "run", "device_name")
    rows: list[ExportedFile] = [
        {**EXPORTED, **dict(zip(names, texts[first : first + 6], strict=False))}  # type: ignore[typeddict-item]
        for first in range(0, len(texts), 6)
    ]
    return cells_of(b"".join(csv_lines(rows)).decode(), names)[: len(texts)]


def cells_of(content: str, columns: Sequence[str]) -> list[str]:
    """The cells of some columns, row by row, once the whole has been found harmless."""
    assert_harmless(content.replace("\r\n", "\n"))
    return [
        row[column] for row in csv.DictReader(io.StringIO(content, newline=""), strict=True) for column in columns
    ]


TABLES = {"metrics log": log_of, "export": export_of}


@cache
def signs() -> Set[str]:
    """What a formula may start with, in all the widths and heights that it comes in."""
    return {point for point in map(chr, EVERY) if unicodedata.normalize("NFKC", point)[0] in "=+-@"}


@cache
def passed_over() -> str:
    """What a program may skip before a formula."""
    return '"' + "".join(filter(is_space, map(chr, EVERY)))


def starts_a_formula(cell: str) -> bool:
    """Whether any program could take it for one: those that trim it, and those that split it at semicolons."""
    firsts = {part.lstrip(passed_over())[:1] for part in cell.split(";")}
    return not signs().isdisjoint(firsts) or any(first and first < " " for first in firsts)


@pytest.mark.parametrize("texts", TEXTS.values(), ids=TEXTS)
@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_a_table_is_harmless_and_holds_everything(
    tmp_path: Path, table: Table, texts: Callable[[int], list[str]]
) -> None:
    given = texts(1_000)
    cells = table(tmp_path / "log.csv", marked(given))
    assert_all_is_seen("\n".join(cells), given)


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_no_string_that_means_harm_starts_a_formula_in_a_table(tmp_path: Path, table: Table) -> None:
    dice = random.Random(7)
    given = [f"{dice.choice(['', '', 'a;', '; '])}{text}" for text in harmful(RANDOM_STRINGS)]
    assert sum(map(starts_a_formula, given)) > RANDOM_STRINGS / 10
    assert not any(map(starts_a_formula, table(tmp_path / "log.csv", given)))


def test_no_code_point_starts_a_formula() -> None:
    passed = set(visible("".join(map(chr, EVERY))))
    assert passed > signs()
    assert not any(starts_a_formula(spreadsheet_safe(point)) for point in passed)


@pytest.mark.parametrize("before", ["", " ", '"', "\u3000\xa0", 'a;" '])
def test_no_sign_starts_a_formula_whatever_is_before_it(before: str) -> None:
    for sign in signs():
        assert starts_a_formula(f"{before}{sign}1")
        assert not starts_a_formula(spreadsheet_safe(visible(f"{before}{sign}1")))
