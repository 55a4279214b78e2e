"""One plain line a look, as it stands in a log.

Write the goldens anew with:  UPDATE_GOLDENS=1 .venv/bin/python -m pytest tests/unit/test_lines.py
"""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pictures import ALL, SIMULATED, STALE, TROUBLED, assert_golden, row, snapshot

from monitor.lines import line
from monitor.look import Look
from virnucpro_bus.metrics import Totals


@pytest.mark.parametrize("name", ALL)
def test_plain_lines_look_as_they_should(name: str) -> None:
    assert_golden(f"line-{name}", line(ALL[name]) + "\n")


def test_lost_events_are_on_the_line_only_when_there_are_any() -> None:
    lossy: Totals = {**snapshot().totals, "events_lost": 12}
    assert " | events lost 12" in line(replace(snapshot(), totals=lossy))
    assert "lost" not in line(snapshot(3))


def test_problems_that_a_line_does_not_tell_otherwise_stand_at_its_end() -> None:
    assert line(snapshot(2, TROUBLED)).endswith(" | steals 12 | stalled: GPU 1 ...")


def test_of_many_problems_a_few_are_told_and_the_others_counted() -> None:
    text = line(snapshot(2, tuple(f"stalled: GPU {index}" for index in range(9))))
    assert text.endswith(" | stalled: GPU 0 | stalled: GPU 1 | stalled: GPU 2 | 6 more problems")


@pytest.mark.parametrize("devices", [64, 1000])
def test_a_line_stays_short_and_says_how_many_devices_it_leaves_out(devices: int) -> None:
    text = line(snapshot(devices))
    named = text.count("| GPU ")
    assert len(text) < 800
    assert f"| {devices - named} more devices |" in text


def test_devices_in_trouble_are_on_the_line_even_where_not_all_fit() -> None:
    rows = (*(row(index) for index in range(60)), row(60, "lost"), row(61, "silent"))
    text = line(replace(snapshot(64), rows=rows))
    assert "| GPU 60 LOST n/a" in text
    assert "| GPU 61 SILENT " in text


def test_where_not_all_devices_fit_those_lost_are_told_as_problems_too() -> None:
    assert "lost: GPU 3" in line(snapshot(64, TROUBLED))
    assert "lost: GPU 3" not in line(snapshot(8, TROUBLED))


def test_stale_and_made_up_figures_are_labelled() -> None:
    assert "| GPU 1 STALE n/a 22.1/s q10 |" in line(STALE)
    assert "| simulated GPU figures |" in line(SIMULATED)
    assert "simulated" not in line(snapshot())


def test_a_line_tells_of_the_chosen_devices_in_the_order_wanted() -> None:
    text = line(snapshot(8), Look("queue", devices=frozenset({"0", "1", "5"})))
    assert [part.split()[1] for part in text.split(" | ") if part.startswith("GPU")] == ["1", "5", "0"]


@given(devices=st.integers(0, 200), problems=st.lists(st.text(max_size=300), max_size=20))
def test_a_line_is_one_line_of_bounded_length(devices: int, problems: list[str]) -> None:
    text = line(snapshot(devices, tuple(problems)))
    assert len(text) < 1400
    assert len(text.splitlines()) == 1
