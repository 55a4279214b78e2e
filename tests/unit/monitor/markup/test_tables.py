from __future__ import annotations

from monitor.markup.html import element
from monitor.markup.tables import CELL_CHARACTERS, Column, grouped_table, table
from tests.support.reported_runs import ParsedPage

COLUMNS = [Column("file"), Column("time", is_number=True)]


def test_a_table_has_a_caption_and_names_its_columns_and_rows() -> None:
    page = ParsedPage(table("Files", COLUMNS, [["a.fa", "3.0 s"]]))
    assert page.texts == ["Files", "file", "time", "a.fa", "3.0 s"]
    assert page.values("scope") == ["col", "col", "row"]
    assert page.tags.count("caption") == 1


def test_an_unknown_cell_is_not_empty() -> None:
    assert ParsedPage(table("Files", COLUMNS, [["a.fa", None]])).texts[-1] == "n/a"


def test_a_table_of_several_groups_names_them_in_its_first_column() -> None:
    rows = [("one", ["a.fa", "1"]), ("two", ["b.fa", "2"])]
    assert ParsedPage(grouped_table("F", COLUMNS, rows, "run")).texts == [
        *("F", "run", "file", "time", "one", "a.fa", "1", "two", "b.fa", "2"),
    ]
    assert "run" not in ParsedPage(grouped_table("F", COLUMNS, rows[:1], None)).texts


def test_a_text_without_end_does_not_fill_the_page() -> None:
    cells = ParsedPage(table("F", COLUMNS, [["x" * 100_000, element("b", "y")]])).texts
    assert len(cells[-2]) == CELL_CHARACTERS
    assert cells[-1] == "y"
