"""The sanitiser, over everything that text can hold."""

from __future__ import annotations

import os
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virnucpro_bus.text import spreadsheet_safe, visible


def test_of_all_code_points_only_printable_ones_and_spaces_survive() -> None:
    for code in range(sys.maxunicode + 1):
        for character in visible(chr(code)):
            assert character.isprintable() or unicodedata.category(character) == "Zs", hex(code)


@pytest.mark.parametrize(
    "text",
    ["", "sample_17.fa", "a b", "naïve é", "試料.fa", "🧬", r"C:\path", "[red]", "\u00a0", "שלום", "e\u0301"],
)
def test_ordinary_text_passes_unchanged(text: str) -> None:
    assert visible(text) == text


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("\x1b[31m", r"\x1b[31m"),
        ("a\nb\tc\r", r"a\x0ab\x09c\x0d"),
        ("\x00\x7f\x9b", r"\x00\x7f\x9b"),
        ("\u202egpj.exe", r"\u202egpj.exe"),
        ("\u2066x\u2069", r"\u2066x\u2069"),
        ("a\u200bb\u200d\ufeff", r"a\u200bb\u200d\ufeff"),
        ("\u2028\u2029", r"\u2028\u2029"),
        ("\ue000\U000f0000", r"\ue000\U000f0000"),
        ("\ud800", r"\ud800"),
        ("\u3164\ufe0f\u034f", r"\u3164\ufe0f\u034f"),
    ],
)
def test_what_drives_or_hides_is_written_out(text: str, written: str) -> None:
    assert visible(text) == written


def test_a_byte_that_is_not_utf_8_is_shown_as_that_byte() -> None:
    assert visible(os.fsdecode(b"caf\xe9.fa")) == r"caf\xe9.fa"


@given(st.text(st.characters()))
def test_a_second_pass_changes_nothing(text: str) -> None:
    assert visible(visible(text)) == visible(text)


@given(st.text(st.characters()))
def test_what_is_visible_can_be_encoded(text: str) -> None:
    assert visible(text).encode().decode() == visible(text)


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", "\0", "＝", "＠"])
def test_a_cell_that_a_spreadsheet_would_run_gets_an_apostrophe(start: str) -> None:
    text = f"{start}cmd|' /C calc'!A0"
    assert spreadsheet_safe(text) == "'" + text
    assert spreadsheet_safe(visible(text)) == "'" + visible(text)


@pytest.mark.parametrize(
    ("text", "written"),
    [
        (" =1", "' =1"),
        ("\u3000\xa0@x", "'\u3000\xa0@x"),
        ('"=1"', '\'"=1"'),
        ("a;=1;-2", "a;'=1;'-2"),
        ('a; "+1', "a;' \"+1"),
        ("﹦1", "'﹦1"),
    ],
)
def test_a_formula_is_found_behind_what_a_spreadsheet_may_pass_over(text: str, written: str) -> None:
    assert spreadsheet_safe(text) == written


@given(st.text(st.one_of(st.characters(), st.sampled_from("=+-@;\"' "))))
def test_a_cell_is_made_safe_once(text: str) -> None:
    assert spreadsheet_safe(spreadsheet_safe(text)) == spreadsheet_safe(text)


@pytest.mark.parametrize("text", ["", "sample=1.fa", "'=1", "a-b", " x", "a; b", "a;b=1", "a b -c"])
def test_other_cells_are_left_alone(text: str) -> None:
    assert spreadsheet_safe(text) == text
