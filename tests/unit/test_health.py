"""What is said of the health of a run."""

from __future__ import annotations

import pytest

from monitor.health import StallWatch, in_trouble, problems
from monitor.snapshot import Row
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
    device: int | str = "cpu:0",
    *,
    queue: int | None = 7,
    done: int = 0,
    state: str = "busy",
    host: str = "here",
    age: float | None = None,
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
        {**UNKNOWN_UTILIZATION, "sample_age_seconds": age},
    )


def known(device: int, *, age: float) -> Row:
    """Of which the driver tells something."""
    metrics, utilization = row(device, age=age)
    return metrics, {**utilization, "power_watts": 200.0}


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


def test_a_gpu_that_gives_no_figures_is_told_with_their_age() -> None:
    assert problems([row(0, age=7.2), known(1, age=3.0), row("cpu:0")], TOTALS, []) == (
        "stale: no GPU figures from GPU 0 for 7 s",
    )


def test_many_gpus_without_figures_make_one_line() -> None:
    (line,) = problems([row(index, age=9.0 + index) for index in range(6)], TOTALS, [])
    assert line == "stale: no GPU figures from GPU 0, GPU 1, GPU 2, GPU 3 and 2 more for 9 s or more"


def test_a_lost_gpu_is_not_told_to_be_stale_too() -> None:
    assert problems([row(0, age=60.0, state="lost")], TOTALS, []) == ("lost: GPU 0",)


def test_failed_files_are_told_with_the_reasons_a_few_by_name() -> None:
    failures = {f"f{number}.fa": "x" * 99 if number else "exit\x1b 1" for number in range(6)}
    (line,) = problems([], TOTALS, [], failures=failures)
    assert line.startswith(rf"failed: f0.fa (exit\x1b 1), f1.fa ({'x' * 60}...), f2.fa (")
    assert line.endswith(" and 2 more")


@pytest.mark.parametrize(
    ("seen", "troubled"),
    [
        (row(state="lost"), True),
        (row(state="silent"), True),
        (row(age=3.1), True),
        (row(age=3.0), False),
        (row(age=None), False),
        (row(state="stopped"), False),
    ],
)
def test_lost_silent_and_stale_devices_are_in_trouble(seen: Row, troubled: bool) -> None:
    assert in_trouble(seen) is troubled


def test_a_gpu_of_which_fresh_looks_tell_nothing_is_told_and_a_cpu_is_not() -> None:
    rows = [row(0, age=0.5), row(1, age=0.5, state="lost"), known(2, age=0.5), row("cpu:0")]
    assert problems(rows, TOTALS, []) == (
        "lost: GPU 1",
        "unknown: the driver tells nothing of GPU 0; see doctor",
    )
