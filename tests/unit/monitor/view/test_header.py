"""The lines above the table: title and progress."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.model.view_model import ViewModel
from monitor.view.glyphs import UNICODE
from monitor.view.header import progress_line, title_line
from tests.support.pictures import colour_of, plain, snapshot
from virnucpro_bus.health.rows import Row, RunTotals

pytestmark = pytest.mark.usefixtures("utc")


def settled(done: int, failed: int, total: int) -> ViewModel:
    totals: RunTotals = {
        **snapshot().totals,
        "files_total": total,
        "files_completed": done,
        "files_failed": failed,
    }
    return replace(snapshot(), totals=totals)


def bar(done: int, failed: int, total: int) -> str:
    return progress_line(settled(done, failed, total), 80, UNICODE).plain.split()[0]


def test_an_unfinished_run_is_never_at_100_percent() -> None:
    totals: RunTotals = {**snapshot().totals, "files_total": 1000, "files_completed": 999, "files_failed": 0}
    assert " 99%" in plain(replace(snapshot(), totals=totals), 80, 24)


def test_a_run_without_remaining_files_is_shown_as_finished() -> None:
    assert plain(settled(8, 2, 10), 80, 24).splitlines()[1].endswith("finished")


def test_the_bar_of_a_finished_run_is_full_and_shows_failures() -> None:
    assert set(bar(397, 3, 400)) == {"━", "×"}
    assert bar(397, 3, 400).count("×") == 1
    assert bar(200, 200, 400).count("×") == len(bar(200, 200, 400)) // 2


def test_a_failure_is_visible_in_the_bar_however_small_and_in_red() -> None:
    assert bar(0, 1, 10_000)[:2] == "×─"
    assert "×" not in bar(50, 0, 100)
    assert colour_of(settled(50, 1, 1000), 80, "×") == "red"


@given(st.integers(0, 50), st.integers(0, 50), st.integers(1, 120), st.integers(6, 200))
def test_a_bar_is_as_long_as_its_room_and_full_only_when_all_is_settled(
    done: int, failed: int, total: int, cells: int
) -> None:
    parts = UNICODE.bar(done, failed, total, cells)
    assert sum(map(len, parts)) == cells
    assert (parts[2] == "") == (done + failed >= total)
    assert (parts[1] == "") == (failed == 0)


def test_failures_are_marked_and_yellow() -> None:
    assert colour_of(settled(50, 3, 100), 80, "!3 failed") == "yellow"


@pytest.mark.parametrize(
    ("width", "words"),
    [
        (60, "209/291 files 71% !2 failed elapsed 12m03s ETA 26m12s"),
        (53, "209/291 files 71% !2 failed ETA 26m12s"),
        (43, "209/291 files 71% !2 failed ETA 26m12s"),
        (42, "209/291 files !2 failed ETA 26m12s"),
        (38, "209/291 files !2 failed ETA 26m12s"),
        (35, "209/291 files ETA 26m12s"),
        (20, "209/291 files"),
    ],
)
def test_without_room_the_least_important_parts_are_left_out_whole(width: int, words: str) -> None:
    text = progress_line(snapshot(), width, UNICODE).plain
    assert " ".join(word for word in text.split() if not set(word) <= set("━×─")) == words


@pytest.mark.parametrize(
    ("states", "end"),
    [
        (("stopped", "lost"), "ended early"),
        (("stopped", "busy"), "ETA 26m12s"),
        (("lost", "lost"), "ETA 26m12s"),
    ],
)
def test_a_run_that_was_ended_early_has_no_eta(states: tuple[str, str], end: str) -> None:
    whole = snapshot(devices=2)
    rows: tuple[Row, ...] = tuple(
        ({**metrics, "state": state}, figures)
        for state, (metrics, figures) in zip(states, whole.rows, strict=True)
    )
    assert plain(replace(whole, rows=rows), 80, 24).splitlines()[1].endswith(end)


def test_the_devices_stand_beside_the_title_if_there_is_room() -> None:
    assert title_line(snapshot(), 80, UNICODE).plain.startswith(" run 20231114-221320  8 devices  ")
    assert "devices" not in title_line(snapshot(), 70, UNICODE).plain
    assert "1 SILENT" in title_line(snapshot(), 70, UNICODE).plain


def test_while_no_more_files_are_handed_out_the_reason_stands_where_the_eta_was() -> None:
    model = replace(snapshot(), draining_reason="SIGTERM")
    assert plain(model, 80, 24).splitlines()[1].endswith("draining (SIGTERM)")
    assert plain(replace(model, is_over=True), 80, 24).splitlines()[1].endswith("ended early")


def test_a_reason_for_draining_cannot_control_the_terminal_and_is_cut() -> None:
    shown = plain(replace(snapshot(), draining_reason="\x1b[2J" + "x" * 200), 120, 24).splitlines()[1]
    assert shown.endswith(f"draining (\\x1b[2J{'x' * 30}...)")
