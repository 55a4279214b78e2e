"""One plain line per interval, as it stands in a log.

Update the golden files with:  UPDATE_GOLDENS=1 .venv/bin/pytest tests/unit/monitor/view
"""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.model.selection import ViewOptions
from monitor.model.view_model import NOTICE
from monitor.view.plain_line import line
from tests.support.pictures import (
    ALL,
    FINISHED,
    IN_TROUBLE,
    ON_CPUS,
    ON_CPUS_MEASURED,
    SIMULATED,
    STALE,
    TROUBLED,
    WITH_EFFECT,
    assert_golden,
    placed,
    row,
    snapshot,
)
from virnucpro_bus.health.problems import Problem
from virnucpro_bus.health.rows import RunTotals
from virnucpro_bus.metrics import Effect


@pytest.mark.parametrize("name", ALL)
def test_plain_lines_look_as_they_should(name: str) -> None:
    assert_golden(f"line-{name}", line(ALL[name]) + "\n")


def test_lost_events_are_on_the_line_only_when_there_are_any() -> None:
    lossy: RunTotals = {**snapshot().totals, "events_lost": 12}
    assert " | events lost 12" in line(replace(snapshot(), totals=lossy))
    assert "lost" not in line(snapshot(3))


def test_problems_not_shown_beside_devices_stand_briefly_at_the_end_of_a_line() -> None:
    assert line(IN_TROUBLE).endswith(
        " | steals 12 | hot: GPU 1 92°C, GPU 5 92°C | quarantined: sample_05.fa"
        " | failed 2: sample_13.fa, sample_21.fa"
    )


def test_devices_of_two_runs_of_a_host_are_told_apart_by_the_end_of_a_long_name() -> None:
    rows = tuple(placed(0, "node", f"/scratch/a/folder/of/many/runs/{run}") for run in ("first", "second"))
    text = line(replace(snapshot(2, ()), rows=rows))
    assert all(f"/{run} GPU 0 97% " in text for run in ("first", "second"))


def test_a_notice_stands_in_one_line_only() -> None:
    news = ("12:00:01 GPU 3 is used no more", "12:00:00 a.fa has failed")
    model = snapshot(2, tuple(Problem(text, kind=NOTICE) for text in news))
    assert line(model) == line(snapshot(2, ()))
    assert line(replace(model, news=news)).endswith(" | " + " | ".join(news))


def test_of_many_problems_and_notices_a_few_are_shown_and_the_others_counted() -> None:
    shot = snapshot(2, tuple(Problem(f"wrong {index}") for index in range(9)))
    text = line(replace(shot, news=("a", "b", "c", "d")))
    assert text.endswith(" | wrong 0 | wrong 1 | wrong 2 | 6 more problems | a | b | c | 1 more notices")


def test_a_stalled_device_is_called_so() -> None:
    assert "| GPU 5 STALLED 88% " in line(IN_TROUBLE)


def test_the_last_line_shows_how_the_run_has_ended() -> None:
    assert " elapsed 12m03s finished | " in line(FINISHED)
    early: RunTotals = {**FINISHED.totals, "files_total": 301}
    assert " elapsed 12m03s ended early | " in line(replace(FINISHED, totals=early))
    assert " eta 26m12s | " in line(snapshot())


def test_time_that_stealing_has_lost_is_called_so() -> None:
    assert WITH_EFFECT.effect is not None
    lost = replace(WITH_EFFECT, effect={**WITH_EFFECT.effect, "saved_seconds": -12.0, "saved_range": (-20.0, 1.0)})
    assert " | steals 12 lost 12.0 s (lost 20.0 s to saved 1.0 s) | " in line(lost)


@pytest.mark.parametrize("devices", [64, 1000])
def test_a_line_stays_short_and_counts_the_devices_it_leaves_out(devices: int) -> None:
    text = line(snapshot(devices))
    named = text.count("| GPU ")
    assert len(text) < 800
    assert f"| {devices - named} more devices |" in text


def test_devices_in_trouble_are_on_the_line_even_where_not_all_fit() -> None:
    rows = (*(row(index) for index in range(60)), row(60, "lost"), row(61, "silent"))
    text = line(replace(snapshot(64), rows=rows))
    assert "| GPU 60 LOST n/a" in text
    assert "| GPU 61 SILENT " in text


def test_if_not_all_devices_fit_lost_ones_are_listed_as_problems_too() -> None:
    assert "lost: GPU 3" in line(snapshot(64, TROUBLED))
    assert "lost: GPU 3" not in line(snapshot(8, TROUBLED))


def test_stale_and_made_up_figures_are_labelled() -> None:
    assert "| GPU 1 STALE n/a 22.1/s q10 |" in line(STALE)
    assert "| simulated GPU figures |" in line(SIMULATED)
    assert "simulated" not in line(snapshot())


def test_a_line_has_the_selected_devices_in_the_selected_order() -> None:
    text = line(snapshot(8), ViewOptions("queue", devices=frozenset({"0", "1", "5"})))
    assert [part.split()[1] for part in text.split(" | ") if part.startswith("GPU")] == ["1", "5", "0"]


@given(
    devices=st.integers(0, 200),
    problems=st.lists(st.text(max_size=300), max_size=20),
    news=st.lists(st.text(max_size=300), max_size=20),
)
def test_a_line_is_one_line_of_bounded_length(devices: int, problems: list[str], news: list[str]) -> None:
    shot = snapshot(devices, tuple(map(Problem, problems)))
    assert len(line(shot)) < 1000
    text = line(replace(shot, news=tuple(news)))
    assert len(text) < 1500
    assert len(text.splitlines()) == 1


def test_what_stealing_has_yet_to_save_is_not_called_saved() -> None:
    assert WITH_EFFECT.effect is not None
    done: Effect = {
        **WITH_EFFECT.effect,
        "makespan_seconds": 600.0,
        "makespan_expected_seconds": 600.0,
        "saved_seconds": 192.0,
    }
    assert " saved 3m12s" in line(replace(WITH_EFFECT, effect=done))
    assert " will save 3m12s" in line(replace(WITH_EFFECT, effect={**done, "makespan_seconds": 400.0}))
    assert "save" not in line(replace(WITH_EFFECT, effect={**done, "moves": 0}))


def test_the_load_of_a_cpu_worker_is_its_processor_time_where_that_is_known() -> None:
    assert "| cpu:0 cpu 98% 11.0/s q3 |" in line(ON_CPUS_MEASURED)
    assert "| cpu:0 11.0/s q3 |" in line(ON_CPUS)
