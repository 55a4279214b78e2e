"""The screens that keys open: goldens, and what must hold at every size.

Update the golden files with:  UPDATE_GOLDENS=1 .venv/bin/pytest tests/unit/monitor/screens
"""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from monitor.model.answers import Steal
from monitor.model.log_page import LogPage
from monitor.model.selection import ScreenKind, ViewOptions
from monitor.model.view_model import ViewModel, device_key
from monitor.screens.screen import screen
from monitor.view.glyphs import ASCII, UNICODE, Glyphs
from tests.support.harmful_texts import assert_harmless, harmful
from tests.support.pictures import EMPTY, IN_TROUBLE, KEYS, WITH_EFFECT, assert_golden, snapshot
from virnucpro_bus.health.rows import Row
from virnucpro_bus.metrics import FileRecord

pytestmark = pytest.mark.usefixtures("utc")
LOG = LogPage("logs/sample_05.fa.3.log", 0, 7, 1234, tuple(f"line {number} of the log" for number in range(1, 41)))
WORKERS_LOG = LogPage("logs/worker-0.log", 0, 1, 99, ("loading weights", "loaded in 3.1 s"))
OTHERS = [each for each in ScreenKind if each is not ScreenKind.OVERVIEW]
FIRST = device_key(snapshot(8).rows[0][0])


def record(number: int, name: str = "") -> FileRecord:
    return {
        "file": name or f"sample_{number}.fa",
        "device": f"GPU-{number % 3:08d}",
        "device_id": number % 3,
        "host": "node1",
        "attempt": 1,
        "ended": 1.7e9 + number,
        "duration_seconds": 3.5 * (1 + number % 7),
        "sequences": 100 * number,
        "compute_percent": None if number % 4 == 3 else 80.0 + number,
        "memory_peak_bytes": None,
        "energy_joules": None,
        "simulated": False,
    }


FULL = replace(
    WITH_EFFECT,
    files=tuple(record(number) for number in range(12)),
    failures={"sample_13.fa": "ValueError: unreadable record 7", "sample_21.fa": "CUDA out of memory"},
    logs=(LOG, WORKERS_LOG),
)


def drawn(
    model: ViewModel, which: ScreenKind, width: int, height: int, page: int = 0, glyphs: Glyphs = UNICODE
) -> str:
    options = ViewOptions(screen=which, chosen=FIRST, page=page)
    lines = screen(model, width, height, glyphs, options, KEYS)
    return "".join(text.plain.rstrip() + "\n" for text in lines)


@pytest.mark.parametrize(("width", "height"), [(80, 24), (120, 40)])
@pytest.mark.parametrize("which", OTHERS, ids=lambda which: which.value)
def test_the_screens_look_as_they_should(which: ScreenKind, width: int, height: int) -> None:
    assert_golden(f"screen-{which.value}-{width}x{height}", drawn(FULL, which, width, height))


@given(
    which=st.sampled_from(list(ScreenKind)),
    width=st.integers(1, 200),
    height=st.integers(1, 60),
    page=st.integers(-9, 9),
    full=st.booleans(),
)
def test_a_screen_fits_any_terminal(which: ScreenKind, width: int, height: int, page: int, full: bool) -> None:
    options = ViewOptions(screen=which, chosen=FIRST, page=page)
    texts = screen(FULL if full else EMPTY, width, height, UNICODE, options, KEYS)
    assert len(texts) <= height
    assert all(cell_len(text.plain) <= width for text in texts)
    assert all("\n" not in text.plain for text in texts)


def test_pages_show_what_does_not_fit_and_begin_again() -> None:
    pages = [drawn(FULL, ScreenKind.HELP, 80, 12, page) for page in range(4)]
    assert len(set(pages)) > 2
    assert "the effect of stealing" in "".join(pages)
    assert "twice or half the rate" in "".join(pages)


def test_the_log_ends_at_the_last_line_of_the_screen() -> None:
    lines = drawn(FULL, ScreenKind.LOGS, 80, 24).splitlines()
    assert lines[3].startswith(" LOG 1 of 7  logs/sample_05.fa.3.log")
    assert lines[22].strip() == "line 40 of the log"


@pytest.mark.parametrize("which", [ScreenKind.LOGS, ScreenKind.DEVICE])
def test_where_there_is_no_log_the_screen_says_so(which: ScreenKind) -> None:
    assert "none: nothing was printed" in drawn(replace(FULL, logs=(), steals=()), which, 100, 40)


def test_a_device_that_is_gone_is_said_to_be() -> None:
    assert "it is no longer there" in drawn(replace(FULL, rows=FULL.rows[1:]), ScreenKind.DEVICE, 80, 24)


@pytest.mark.parametrize("height", [24, 30, 60])
def test_the_logs_of_a_device_share_its_screen_with_its_files_and_steals(height: int) -> None:
    picture = drawn(FULL, ScreenKind.DEVICE, 80, height)
    assert "line 40 of the log" in picture
    assert "loaded in 3.1 s" in picture
    assert "TIME    SEQUENCES" in picture
    assert len(picture.splitlines()) == height


def test_a_device_that_has_done_nothing_has_no_time_of_its_last_file() -> None:
    work, gpu = FULL.rows[0]
    assert "last done" in drawn(FULL, ScreenKind.DEVICE, 80, 40)
    row: Row = ({**work, "files_completed": 0, "files_failed": 0, "seconds_since_done": 3.0}, gpu)
    assert "last done" not in drawn(replace(FULL, rows=(row,)), ScreenKind.DEVICE, 80, 40)


@pytest.mark.parametrize("which", [ScreenKind.LOGS, ScreenKind.DEVICE])
def test_a_line_of_a_log_that_is_too_long_is_whole_on_several_lines(which: ScreenKind) -> None:
    long = replace(LOG, lines=("the beginning " + "and more " * 12 + "and the end",))
    shown = drawn(replace(FULL, logs=(long,)), which, 80, 40)
    assert "the beginning and" in shown
    assert "and the end" in shown


def test_columns_in_which_nothing_is_known_are_left_out() -> None:
    assert "COMPUTE" in drawn(FULL, ScreenKind.FILES, 80, 60)
    files = tuple(FileRecord(**{**each, "compute_percent": None}) for each in FULL.files)
    assert "COMPUTE" not in drawn(replace(FULL, files=files), ScreenKind.FILES, 80, 60)


def test_a_device_has_its_own_files_and_steals_alone() -> None:
    picture = drawn(FULL, ScreenKind.DEVICE, 80, 60)
    shown = [word for word in picture.split() if word.startswith("sample_")]
    assert {"sample_0.fa", "sample_3.fa", "sample_6.fa", "sample_9.fa"} <= set(shown)
    assert "sample_1.fa" not in shown


@pytest.mark.parametrize("which", OTHERS, ids=lambda which: which.value)
@pytest.mark.parametrize("glyphs", [UNICODE, ASCII], ids=["unicode", "ascii"])
def test_no_text_of_an_event_or_a_log_reaches_the_terminal_as_it_is(which: ScreenKind, glyphs: Glyphs) -> None:
    for text in harmful(150):
        rows: tuple[Row, ...] = tuple(
            ({**metrics, "current_file": text, "device_name": text, "state": text}, gpu)
            for metrics, gpu in IN_TROUBLE.rows
        )
        steals: tuple[Steal, ...] = tuple(
            {**steal, "file_name": text, "dest_gpu": 0, "host": "node1"} for steal in FULL.steals
        )
        model = replace(
            FULL,
            rows=rows,
            steals=steals,
            title=text,
            files=(record(0, text),),
            failures={text: text},
            logs=(replace(LOG, name=text, lines=(text,)),),
        )
        options = ViewOptions(screen=which, chosen=FIRST)
        lines = [line.plain for line in screen(model, 100, 60, glyphs, options, KEYS)]
        assert_harmless("".join(lines))
        assert all("\n" not in line for line in lines)
