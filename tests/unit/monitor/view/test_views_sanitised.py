"""Nothing that comes from outside drives the terminal or the log, whatever it is and wherever it stands."""

from __future__ import annotations

import random
import sys
import unicodedata
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from monitor.model.selection import ViewOptions
from monitor.model.view_model import ViewModel
from monitor.view.columns import COLUMNS, Cut
from monitor.view.frame import frame
from monitor.view.glyphs import ASCII
from monitor.view.plain_line import line
from tests.support.pictures import plain, row, snapshot
from virnucpro_bus.effect.combine import unknown_effect
from virnucpro_bus.health.problems import Problem, problems
from virnucpro_bus.health.rows import DeviceWork, Row, RunTotals
from virnucpro_bus.metrics import SourceCounts, StealEvent
from virnucpro_bus.text import visible

NASTY = [
    "\x1b]0;owned\x07\x1b[2J",
    "[red]not markup[/red] [/x]",
    "\u202egnp.exe\u2066",
    "a\nb\r\tc\x0b\x9b31m",
    "\ud800 \udcff lone",
    "試料" * 40,
    "e\u0301" * 200,
    ":smile: \u200b\ufeff",
    "x" * 4096,
    "\u0301" * 4096,
    "",
]
ANY_WIDTH = 60_000
"""Of a terminal, or a column: so wide that nothing is cut."""
BATCH = 1024
ROWS_AT_ONCE, STRINGS_IN_ALL = 40, 20_000
# Drawn without ink although Unicode files them under letters and marks.
INVISIBLE = frozenset(map(chr, [0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, *range(0x180B, 0x1810), 0x3164, 0xFFA0]))
REFUSED = frozenset(("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"))
"""Controls (C0 with ESC, C1), formats (bidi, zero-width), surrogates, private, unassigned, separators of lines."""


def nasty(text: str) -> ViewModel:
    """`text` wherever an event can put one."""
    metrics, utilization = row(0)
    odd: DeviceWork = {
        **metrics,
        "device_id": text,
        "device_name": text,
        "host": text,
        "state": text,
        "current_file": text,
        "queue_depth": 9,
        "seconds_since_done": 400.0,
        "loading_seconds": None,
    }
    rows = ((odd, utilization), row(1))
    steal: StealEvent = {"timestamp": 1.7e9, "source_gpu": text, "dest_gpu": text, "file_name": text, "host": text}
    lossy: SourceCounts = {"host": text, "source": text, "epoch": 1, "published": 9, "received": 8, "lost": 1}
    totals: RunTotals = {**snapshot().totals, "events_lost": 1}
    troubles = problems(rows, totals, [lossy], {text: text, f"{text}2": text}, {text: []})
    return replace(
        snapshot(),
        rows=rows,
        steals=({**steal},),
        health=(*troubles, Problem(text)),
        news=(text,),
        title=text,
        effect={**unknown_effect(), "steals": [{**steal, "saved_seconds": 1.0, "saved_range": None}]},
    )


def is_harmless(text: str) -> bool:
    characters = frozenset(text)
    return INVISIBLE.isdisjoint(characters) and REFUSED.isdisjoint(map(unicodedata.category, characters))


def assert_harmless(text: str) -> None:
    shot = nasty(text)
    for width in (60, 200):
        for shown in frame(shot, width, 24):
            assert is_harmless(shown.plain)
            assert cell_len(shown.plain) <= width
        for shown in frame(shot, width, 24, ASCII):
            assert shown.plain.isascii()
            assert is_harmless(shown.plain)
    assert is_harmless(line(shot))
    assert len(line(shot)) < 2500


@pytest.mark.parametrize("text", NASTY)
def test_no_nasty_name_drives_the_terminal_or_breaks_the_layout(text: str) -> None:
    assert_harmless(text)


@given(text=st.text(st.characters()))
def test_no_name_at_all_drives_the_terminal_or_breaks_the_layout(text: str) -> None:
    assert_harmless(text)


@pytest.fixture
def wide_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    """Columns in which nothing is cut, so that all of a long text is seen."""
    uncut = (Cut.NEVER, Cut.DRAWN)
    wide = [column if column.cut in uncut else replace(column, most_cells=ANY_WIDTH) for column in COLUMNS]
    monkeypatch.setattr("monitor.view.useful_columns.COLUMNS", tuple(wide))


@pytest.mark.slow
@pytest.mark.usefixtures("wide_columns")
def test_only_printable_code_points_pass_through_a_frame() -> None:
    metrics, utilization = row(0)
    plain_drawing = replace(ASCII, ascii_only=False)  # Rich measures a line of ASCII at once
    for first in range(0, sys.maxunicode + 1, BATCH):
        raw = "".join(map(chr, range(first, first + BATCH)))
        names: DeviceWork = {**metrics, "device_id": raw, "device_name": raw, "host": raw, "current_file": raw}
        shot = replace(snapshot(0), rows=((names, utilization), row(1)), health=(Problem(raw),), title=raw)
        picture = [text.plain for text in frame(shot, ANY_WIDTH, 10, plain_drawing)]
        assert all(map(is_harmless, picture)), hex(first)
        # The title, the device with its host, name and file, and the notice: each shows all of it.
        shown = visible(raw)
        assert sum(text.count(shown) for text in picture) == 6, hex(first)


@pytest.mark.slow
def test_only_printable_code_points_pass_through_a_line() -> None:
    small = snapshot(0)
    for first in range(0, sys.maxunicode + 1, 3 * 16):
        news = tuple("".join(map(chr, range(at, min(at + 16, 0x110000)))) for at in range(first, first + 48, 16))
        text = line(replace(small, news=news))
        assert is_harmless(text), hex(first)
        assert all(visible(raw) in text for raw in news)


def test_20_000_random_strings_control_neither_the_terminal_nor_the_log() -> None:
    dice = random.Random(20_231_114)
    # Half of the characters from where the dangerous ones are.
    dangerous = [*range(0x20), *range(0x7F, 0xA0), 0xAD, *range(0x200B, 0x2070), 0xFEFF, *range(0xD800, 0xE000)]

    def text() -> str:
        codes = dice.choices(dangerous, k=dice.randint(0, 5)) + dice.choices(range(sys.maxunicode + 1), k=3)
        dice.shuffle(codes)
        return "".join(map(chr, codes))

    metrics, utilization = row(0)
    names = ("device_id", "device_name", "host", "state", "current_file")
    for _ in range(STRINGS_IN_ALL // (len(names) * ROWS_AT_ONCE)):
        rows: tuple[Row, ...] = tuple(
            ({**metrics, **{name: text() for name in names}}, utilization)  # type: ignore[typeddict-item]
            for _ in range(ROWS_AT_ONCE)
        )
        shot = replace(nasty(text()), rows=rows, health=(Problem(text()), Problem(text())), news=(text(),))
        assert all(is_harmless(shown.plain) for shown in frame(shot, 200, 60))
        assert is_harmless(line(shot))


@pytest.mark.parametrize(
    ("raw", "written"),
    [("\x1b", r"\x1b"), ("\n", r"\x0a"), ("\x9b", r"\x9b"), ("\u202e", r"\u202e"), ("\u200b", r"\u200b")],
)
def test_what_is_unprintable_is_shown_visibly_in_every_place(raw: str, written: str) -> None:
    # The device, its host, name, state and file; the title; the steal with its devices and host; the problems.
    picture = plain(nasty(f"<{raw}>"), 300, 60)
    assert picture.count(f"<{written}>") >= 10
    assert line(nasty(f"<{raw}>")).count(f"<{written}>") >= 2


def test_a_device_chosen_by_a_nasty_name_is_shown_visibly() -> None:
    assert r"<\x1b>" in plain(nasty("<\x1b>"), 200, 24, ViewOptions(devices=frozenset({"<\x1b>"})))


def test_markup_in_a_name_is_shown_as_it_is() -> None:
    assert "[red]not markup[/red]" in plain(nasty(NASTY[1]), 200, 24)
