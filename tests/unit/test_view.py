"""Frames: goldens, and what must hold at every size.

Write the goldens anew with:  UPDATE_GOLDENS=1 .venv/bin/python -m pytest tests/unit/test_view.py
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pictures import (
    ALL,
    ON_CPUS,
    SIMULATED,
    STALE,
    TROUBLED,
    WITH_EFFECT,
    assert_golden,
    plain,
    row,
    snapshot,
)
from rich.cells import cell_len

from monitor.glyphs import ASCII
from monitor.look import SORTS, Look
from monitor.snapshot import Row
from monitor.view import frame, pages
from virnucpro_bus.metrics import Totals


@pytest.fixture(autouse=True)
def _utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Times of day are the viewer's: make that UTC."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize("height", [10, 24, 60])
@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_eight_devices_look_as_they_should(width: int, height: int) -> None:
    assert_golden(f"8-devices-{width}x{height}", plain(snapshot(8, TROUBLED), width, height))


@pytest.mark.parametrize("name", [name for name in ALL if name != "8-devices"])
def test_other_fleets_look_as_they_should_at_80_by_24(name: str) -> None:
    assert_golden(f"{name}-80x24", plain(ALL[name], 80, 24))


@pytest.mark.parametrize(("width", "height"), [(120, 40), (200, 60)])
def test_64_devices_look_as_they_should_on_bigger_terminals(width: int, height: int) -> None:
    assert_golden(f"64-devices-{width}x{height}", plain(snapshot(64), width, height))


@pytest.mark.parametrize(
    ("name", "look"),
    [
        ("page-2", Look(page=1)),
        ("last-page", Look(page=-1)),
        ("by-utilization", Look(sort="utilization")),
        ("by-queue", Look(sort="queue")),
        ("some-devices", Look(devices=frozenset({"3", "GPU-00000017"}))),
    ],
)
def test_64_devices_look_as_they_should_when_looked_at_in_other_ways(name: str, look: Look) -> None:
    assert_golden(f"64-devices-{name}-80x24", plain(snapshot(64), 80, 24, look))


LOOKS = st.builds(
    Look,
    sort=st.sampled_from(SORTS),
    page=st.integers(-100, 100),
    devices=st.none() | st.frozensets(st.integers(0, 70).map(str), max_size=5),
)


@given(width=st.integers(1, 250), height=st.integers(1, 80), devices=st.integers(0, 70), look=LOOKS)
@settings(max_examples=100, deadline=None)
def test_a_frame_fits_any_terminal(width: int, height: int, devices: int, look: Look) -> None:
    shot = replace(WITH_EFFECT, rows=snapshot(devices).rows, health=TROUBLED)
    texts = frame(shot, width, height, look=look)
    assert len(texts) <= height
    assert all(cell_len(text.plain) <= width for text in texts)
    assert all("\n" not in text.plain for text in texts)


@given(height=st.integers(7, 100), devices=st.integers(0, 70), sort=st.sampled_from(SORTS))
@settings(max_examples=60, deadline=None)
def test_the_pages_together_show_every_device_once(height: int, devices: int, sort: str) -> None:
    shot = snapshot(devices)
    seen: list[str] = []
    for page in range(pages(shot, 80, height)):
        picture = plain(shot, 80, height, Look(sort, page))
        assert "\n   TOTAL " in picture
        seen += [text[3:9].strip() for text in picture.splitlines() if text[1:7] in MARKED]
    assert sorted(seen) == sorted(f"GPU {index}" for index in range(devices))


MARKED = {f"{mark} GPU " for mark in "●○×?"}


@given(page=st.integers(-(2**70), 2**70))
@settings(deadline=None)
def test_any_number_is_a_page(page: int) -> None:
    count = pages(snapshot(64), 80, 24)
    assert count > 1
    assert plain(snapshot(64), 80, 24, Look(page=page)) == plain(snapshot(64), 80, 24, Look(page=page % count))


class Unformatted(dict):
    """The metrics of a device that does not let its file be asked for, as only what is shown of it needs that."""

    def __getitem__(self, key: str) -> object:
        assert key != "current_file"
        return super().__getitem__(key)


def test_rows_of_other_pages_are_not_formatted() -> None:
    shown = snapshot(15).rows
    others = tuple((Unformatted(metrics), utilization) for metrics, utilization in snapshot(4096).rows[15:])
    assert "rows 1-15 of 4096, page 1/274" in plain(replace(snapshot(8), rows=shown + others), 80, 24)


def test_a_frame_of_unlimited_height_has_one_page_of_everything() -> None:
    assert pages(snapshot(64), 80, None) == 1
    assert "GPU 63" in plain(snapshot(64), 80, None)


@given(width=st.integers(20, 250))
@settings(deadline=None)
def test_no_header_is_ever_cut(width: int) -> None:
    header = plain(snapshot(), width, 24).splitlines()[3]
    assert set(header.split()) <= {
        *("DEVICE", "NAME", "STATE", "COMPUTE", "MAX", "MEMORY", "SEQ/S", "QUEUE", "DONE", "FAILED", "STOLEN"),
        *("TEMP", "POWER", "FILE", "TREND"),
    }


def test_devices_in_trouble_are_shown_before_others_when_not_all_fit() -> None:
    lines = plain(snapshot(8), 80, 9).splitlines()
    assert lines[3].startswith(" × GPU 3")
    assert lines[4].startswith(" ? GPU 6")


def test_devices_in_trouble_stay_in_their_places_when_all_fit() -> None:
    lines = plain(snapshot(8), 80, 24).splitlines()
    assert [text[1:8] for text in lines[4:8]] == ["● GPU 0", "● GPU 1", "● GPU 2", "× GPU 3"]


def test_the_column_that_rows_are_sorted_by_is_marked() -> None:
    headers = {sort: plain(snapshot(8), 80, 24, Look(sort)).splitlines()[3].split() for sort in SORTS}
    assert "▼COMPUTE" in headers["utilization"]
    assert "▼QUEUE" in headers["queue"]
    assert not any(header.startswith("▼") for header in headers["device"])


def test_a_filter_that_means_no_device_says_so() -> None:
    assert "no such device" in plain(snapshot(8), 80, 24, Look(devices=frozenset({"99"})))


def test_the_total_is_of_the_chosen_devices() -> None:
    picture = plain(snapshot(8), 80, 24, Look(devices=frozenset({"0", "1"})))
    total = next(text for text in picture.splitlines() if "TOTAL" in text)
    assert total.split() == ["TOTAL", "2", "devices", "93%", "70%", "33.1", "13", "45", "0", "+3", "-1"]


def test_big_figures_are_never_cut() -> None:
    metrics, utilization = row(0)
    big: Row = ({**metrics, "queue_depth": 123_456_789, "files_completed": 987_654_321}, utilization)
    text = plain(replace(snapshot(), rows=(big,)), 80, 24)
    assert "123456789" in text
    assert "987654321" in text


def test_what_is_unknown_says_so_and_is_never_zero() -> None:
    cpu = next(text for text in plain(ON_CPUS, 80, 24).splitlines() if "cpu:0" in text)
    assert cpu.split()[4:6] == ["n/a", "n/a"]
    lost = next(text for text in plain(snapshot(), 200, 24).splitlines() if "GPU 3" in text)
    assert lost.split().count("n/a") == 6


def test_bad_states_can_be_told_without_colour_at_every_width() -> None:
    for width in (40, 60, 80, 120, 200):
        text = plain(snapshot(), width, 24)
        assert "LOST" in text
        assert "SILENT" in text


@pytest.mark.parametrize("width", [40, 80, 120, 200])
def test_every_alarming_colour_has_a_mark_or_a_word_beside_it(width: int) -> None:
    shot = replace(WITH_EFFECT, health=TROUBLED)
    alarming = [
        (span.style, text.plain[span.start : span.end].strip())
        for text in [*frame(shot, width, 60), *frame(SIMULATED, width, 60), *frame(STALE, width, 60)]
        for span in text.spans
        if any(colour in str(span.style) for colour in ("yellow", "red"))
    ]
    assert alarming
    for style, words in alarming:
        if not words.startswith(("LOST", "SILENT", "STALE", "SIMULATED", "lost", "× GPU", "? GPU")) and set(
            words
        ) != {"×"}:
            assert words.startswith("!!" if "red" in str(style) else "!"), words


@pytest.mark.parametrize(
    ("state", "compute", "written"),
    [("busy", 4.0, "!!4%"), ("busy", 29.0, "!29%"), ("busy", 30.0, "30%"), ("idle", 4.0, "4%")],
)
def test_little_use_of_a_gpu_at_work_is_marked(state: str, compute: float, written: str) -> None:
    metrics, utilization = row(0, state)
    picture = plain(replace(snapshot(), rows=((metrics, {**utilization, "compute_percent": compute}),)), 60, 24)
    assert written in next(text for text in picture.splitlines() if "GPU 0" in text).split()


def test_an_unfinished_run_is_never_at_100_percent() -> None:
    totals: Totals = {**snapshot().totals, "files_total": 1000, "files_completed": 999, "files_failed": 0}
    assert " 99%" in plain(replace(snapshot(), totals=totals), 80, 24)


def test_a_run_with_nothing_left_says_that_it_is_finished() -> None:
    totals: Totals = {**snapshot().totals, "files_total": 10, "files_completed": 8, "files_failed": 2}
    assert plain(replace(snapshot(), totals=totals), 80, 24).splitlines()[1].endswith("finished")


@pytest.mark.parametrize(
    ("states", "end"),
    [
        (("stopped", "lost"), "ended early"),
        (("stopped", "busy"), "ETA 0:26:11"),
        (("lost", "lost"), "ETA 0:26:11"),
    ],
)
def test_a_run_that_was_ended_early_has_no_eta(states: tuple[str, str], end: str) -> None:
    whole = snapshot(devices=2)
    rows = tuple(
        ({**metrics, "state": state}, figures)
        for state, (metrics, figures) in zip(states, whole.rows, strict=True)
    )
    assert plain(replace(whole, rows=rows), 80, 24).splitlines()[1].endswith(end)


@pytest.mark.parametrize("height", [3, 5, 10, 60])
@pytest.mark.parametrize("width", [12, 40, 80, 200])
def test_made_up_figures_are_labelled_at_every_size(width: int, height: int) -> None:
    assert "SIMULATED" in plain(SIMULATED, width, height)
    assert "SIMULATED" not in plain(snapshot(), width, height)


def test_a_terminal_without_unicode_gets_ascii_alone() -> None:
    odd = replace(snapshot(8, ("é",)), title="試料")
    assert all(text.plain.isascii() for text in frame(odd, 200, 60, ASCII))


def test_a_frame_with_little_room_leaves_out_what_stealing_has_done() -> None:
    assert "stealing: 12 moves, saved 3m12s of 14m05s, 1.7 % above the bound" in plain(WITH_EFFECT, 80, 24)
    assert "stealing:" not in plain(WITH_EFFECT, 80, 10)


def test_a_steal_whose_effect_is_unknown_is_shown_without_it() -> None:
    picture = plain(WITH_EFFECT, 120, 60)
    assert "sample_9.fa  saved 14.2s\n" in picture
    assert "sample_10.fa\n" in picture
    assert "sample_11.fa  lost 3.0s\n" in picture


def test_problems_that_do_not_fit_are_counted() -> None:
    assert plain(snapshot(8, TROUBLED), 80, 10).endswith("! lost events: 12 of 5000  (+3 more)\n")


def test_trends_are_shown_where_there_is_room_and_something_is_known() -> None:
    assert "▁" not in plain(snapshot(), 80, 24)
    assert "████" in plain(snapshot(), 200, 24)
    assert "TREND" not in plain(replace(snapshot(), trends={}), 200, 24)
