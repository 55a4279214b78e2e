"""What is concluded from the figures: remaining time, stalls, problems."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.snapshot import (
    Row,
    StallWatch,
    device_label,
    device_labels,
    duration,
    known_mean,
    known_sum,
    problems,
    rate,
    remaining_seconds,
)
from virnucpro_bus.metrics import UNKNOWN_UTILIZATION, SourceCounts, Totals

TOTALS: Totals = {
    "files_total": 40,
    "files_completed": 10,
    "files_failed": 2,
    "sequences": 1000,
    "steals": 0,
    "events_published": 500,
    "events_received": 500,
    "events_lost": 0,
}


def row(
    device: int | str = "cpu:0", *, queue: int | None = 7, done: int = 0, state: str = "busy", host: str = "here"
) -> Row:
    return (
        {
            "device_id": device,
            "device_name": "",
            "queue_depth": queue,
            "files_completed": done,
            "work_stolen_from": 0,
            "work_stolen_to": 0,
            "throughput": None,
            "last_update_time": None,
            "uuid": None,
            "host": host,
            "sequences": 0,
            "files_failed": 0,
            "state": state,
            "current_file": None,
        },
        UNKNOWN_UTILIZATION,
    )


def test_the_remaining_time_is_remaining_files_times_elapsed_by_completed_files() -> None:
    assert remaining_seconds(TOTALS, 100.0) == 28 * 100.0 / 10


@pytest.mark.parametrize(
    ("totals", "elapsed"),
    [({**TOTALS, "files_completed": 0}, 100.0), ({**TOTALS, "files_total": None}, 100.0), (TOTALS, None)],
)
def test_the_remaining_time_is_unknown_without_completion_plan_or_start(
    totals: Totals, elapsed: float | None
) -> None:
    assert remaining_seconds(totals, elapsed) is None


def test_a_device_with_waiting_files_and_none_completed_for_300_s_is_stalled() -> None:
    watch = StallWatch()
    rows = [row()]
    assert problems(rows, TOTALS, watch.idle_seconds(rows, 299.0)) == ()
    assert problems(rows, TOTALS, watch.idle_seconds(rows, 300.0)) == (
        "stalled: cpu:0 has 7 files waiting and has completed none for 300 s",
    )


def test_a_completion_ends_a_stall() -> None:
    watch = StallWatch()
    watch.idle_seconds([row()], 400.0)
    assert watch.idle_seconds([row(done=1)], 402.0) == [0.0]
    assert watch.idle_seconds([row(done=1)], 500.0) == [98.0]


def test_a_device_first_seen_with_files_done_is_given_time() -> None:
    assert StallWatch().idle_seconds([row(done=3)], 4000.0) == [0.0]


def test_a_run_time_that_goes_back_starts_the_watch_again() -> None:
    watch = StallWatch()
    watch.idle_seconds([row(done=1)], 1000.0)
    assert watch.idle_seconds([row(done=1)], 5.0) == [0.0]


@pytest.mark.parametrize("idle", [row(queue=0), row(queue=None)])
def test_a_device_without_waiting_files_is_not_stalled(idle: Row) -> None:
    assert problems([idle], TOTALS, [4000.0]) == ()


def test_problems_are_told_worst_first() -> None:
    rows = [row(0, state="lost"), row(1, state="silent"), row(2)]
    lossy: Totals = {**TOTALS, "events_published": 500, "events_lost": 12}
    assert [line.split(":")[0] for line in problems(rows, lossy, [400.0] * 3)] == [
        *("lost events", "lost", "silent", "stalled", "stalled"),
    ]


def lossy(source: str, lost: int, *, host: str = "here", epoch: int = 1) -> SourceCounts:
    return {
        "host": host,
        "source": source,
        "epoch": epoch,
        "published": 100,
        "received": 100 - lost,
        "lost": lost,
    }


def test_lost_events_are_told_with_their_sources_the_most_first() -> None:
    totals: Totals = {**TOTALS, "events_published": 3400, "events_lost": 12}
    sources = [lossy("sampler", 2), lossy("worker-1", 4), lossy("worker-1", 6, epoch=2)]
    assert problems([], totals, [], sources) == ("lost events: 12 of 3400 (worker-1: 10, sampler: 2)",)


def test_of_many_sources_that_lost_events_a_few_are_named() -> None:
    totals: Totals = {**TOTALS, "events_lost": 9}
    (line,) = problems([], totals, [], [lossy(f"w{number}", 1) for number in range(9)])
    assert line == "lost events: 9 of 500 (w0: 1, w1: 1, w2: 1, w3: 1 and 5 more)"


def test_with_several_hosts_a_source_is_named_with_its_host() -> None:
    rows = [row(0, host="a"), row(0, host="b")]
    totals: Totals = {**TOTALS, "events_lost": 9}
    (line,) = problems(rows, totals, [], [lossy("w0", 5, host="a"), lossy("w0\x1b", 4, host="b")])
    assert line == r"lost events: 9 of 500 (a w0: 5, b w0\x1b: 4)"


def test_many_devices_in_trouble_make_few_lines() -> None:
    rows = [row(index, state="silent") for index in range(64)]
    lines = problems(rows, TOTALS, [400.0] * 64)
    assert lines[0] == "silent: no sign of life from GPU 0, GPU 1, GPU 2, GPU 3 and 60 more"
    assert lines[-1] == "stalled: 60 more devices"
    assert len(lines) == 6


def test_nothing_is_stalled_while_the_time_is_unknown() -> None:
    assert problems([row()], TOTALS, []) == ()


def test_a_device_is_called_by_its_index_its_own_name_and_its_host_where_there_are_several() -> None:
    assert (device_label(0), device_label("cpu:0"), device_label("a\x1b")) == ("GPU 0", "cpu:0", r"a\x1b")
    assert device_labels([row(0), row("cpu:1")]) == ["GPU 0", "cpu:1"]
    assert device_labels([row(0, host="a"), row(0, host="b")]) == ["a GPU 0", "b GPU 0"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "n/a"),
        (0.0, "0.00"),
        (9.99, "9.99"),
        (9.996, "10.0"),
        (1504.04, "1504.0"),
        (123_456.0, "123.5k"),
        (99_999.97, "100.0k"),
        (2.5e9, "2500.0M"),
        (1e15, "1.0e+15"),
    ],
)
def test_rates_are_written_briefly(value: float | None, text: str) -> None:
    assert rate(value) == text


@given(st.floats(0, 1e300))
def test_no_rate_is_longer_than_its_column(value: float) -> None:
    assert len(rate(value)) <= 8


@pytest.mark.parametrize(
    ("seconds", "text"), [(None, "n/a"), (0.9, "0:00:00"), (3723.0, "1:02:03"), (90_061.0, "1d 1:01:01")]
)
def test_durations_are_written_as_clocks_show_them(seconds: float | None, text: str) -> None:
    assert duration(seconds) == text


def test_sums_and_means_are_over_what_is_known() -> None:
    assert (known_sum([1.0, None, 2.0]), known_sum([None])) == (3.0, None)
    assert (known_mean([1.0, None, 2.0]), known_mean([])) == (1.5, None)
