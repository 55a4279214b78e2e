"""The history of a run below its table."""

from __future__ import annotations

from dataclasses import replace

from monitor.model.view_model import RunHistory
from monitor.view.frame import frame
from monitor.view.glyphs import ASCII
from tests.support.pictures import GPUS_ALONE, HISTORY, ONE_MODEL, plain, snapshot

SIX = replace(snapshot(6), health=())
ON_CPUS = RunHistory((0.0, 2.0, 4.0), (10.0, 20.0, 30.0), (None, None, None), (150.0, 250.0, 200.0))


def test_throughput_and_load_stand_below_the_table_with_their_latest_values() -> None:
    lines = plain(SIX, 80, 24).splitlines()
    total = next(at for at, line in enumerate(lines) if "TOTAL" in line)
    assert lines[total + 2].split("COMPUTE")[0].split() == ["THROUGHPUT", "149.0", "seq/s", "most", "149.0"]
    assert lines[total + 2].split("COMPUTE")[1].split()[0] == "95%"


def test_on_cpus_the_load_is_that_of_the_processes() -> None:
    assert "CPU  200%  most 250%  last 4.0 s" in plain(replace(SIX, history=ON_CPUS), 100, 40)


def test_from_the_first_sample_on_there_is_a_place_for_it_so_that_nothing_moves() -> None:
    assert "THROUGHPUT" not in plain(replace(SIX, history=RunHistory()), 100, 40)
    first = RunHistory((1.0,), (None,), (None,), (None,))
    assert "THROUGHPUT  n/a  last 0" in plain(replace(SIX, history=first), 100, 40)


def test_gpus_without_a_worker_have_their_load_alone() -> None:
    picture = plain(replace(GPUS_ALONE, history=HISTORY), 100, 40)
    assert "COMPUTE  95%" in picture
    assert "THROUGHPUT" not in picture


def test_where_lines_are_few_steals_and_problems_come_before_the_history() -> None:
    assert "THROUGHPUT" not in plain(ONE_MODEL, 80, 22)
    assert "RECENT STEALS" in plain(ONE_MODEL, 80, 22)
    assert "THROUGHPUT" not in plain(SIX, 80, None)


def test_a_narrow_frame_has_the_throughput_alone() -> None:
    picture = plain(SIX, 50, 30)
    assert "THROUGHPUT" in picture
    assert "95%" not in picture


def test_without_unicode_there_is_none() -> None:
    assert "THROUGHPUT" not in "".join(text.plain for text in frame(SIX, 80, 40, ASCII))


def test_workers_that_wait_for_something_do_not_look_busy() -> None:
    waiting = RunHistory((1.0, 2.0), (None, None), (None, None), (1.0, 2.0))
    busy = replace(waiting, cpus=(1.0, 200.0))
    heights = [plain(replace(SIX, history=each), 100, 40).count("⢸") for each in (waiting, busy)]
    assert heights[0] == 0 < heights[1]
