"""The problems of a run, as texts."""

from __future__ import annotations

from typing import Any

import pytest

from virnucpro_bus.health.problems import is_stalled, needs_attention, problems
from virnucpro_bus.health.rows import Row, RunTotals
from virnucpro_bus.metrics import UNKNOWN_UTILIZATION, FailedAttempt, SourceCounts

TOTALS: RunTotals = {
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
    since: float | None = 1.0,
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
            "seconds_since_done": since,
            "current_file_percent": None,
            "loading_seconds": None,
            "key": None,
            "gpus": None,
            "cpu_percent": None,
            "resident_bytes": None,
            "worker": None,
            "read_bytes_per_second": None,
        },
        {**UNKNOWN_UTILIZATION, "sample_age_seconds": age},
    )


def hot(device: int, celsius: float) -> Row:
    metrics, utilization = row(device)
    return metrics, {**utilization, "temperature": celsius}


def tried(reason: str) -> FailedAttempt:
    return {"attempt": 1, "device": "cpu:0", "reason": reason}


def known(device: int, *, age: float) -> Row:
    """A GPU of which the driver reports a figure."""
    metrics, utilization = row(device, age=age)
    return metrics, {**utilization, "power_watts": 200.0}


def texts(*args: Any, **options: Any) -> list[str]:
    return [problem.text for problem in problems(*args, **options)]


def test_a_device_with_queued_files_that_completed_none_for_300_s_is_stalled() -> None:
    assert texts([row(since=299.9)], TOTALS) == []
    assert texts([row(since=300.0)], TOTALS) == ["stalled: no file finished on cpu:0 for 5m00s, 7 queued"]
    assert texts([row(0, since=400.0), row(1, since=360.0), row(2)], TOTALS) == [
        "stalled: no file finished on GPU 0, GPU 1 for 6m00s or more, 14 queued"
    ]


@pytest.mark.parametrize("idle", [{"queue": 0}, {"queue": None}, {"state": "lost"}, {"state": "stopped"}])
def test_a_device_without_queued_files_or_out_of_use_is_not_stalled(idle: dict[str, Any]) -> None:
    metrics, _ = row(**idle, since=4000.0)
    assert not is_stalled(metrics)


def test_without_the_time_of_the_last_completion_no_device_is_stalled() -> None:
    known, unknown = row(since=4000.0), row(since=None)
    assert [is_stalled(metrics) for metrics, _ in (known, unknown)] == [True, False]


def test_what_is_lost_comes_before_what_may_recover() -> None:
    rows = [row(0, state="silent"), hot(1, 90.0), row(2, state="lost"), row(3, age=9.0, since=400.0)]
    lossy: RunTotals = {**TOTALS, "events_published": 500, "events_lost": 12}
    failures, attempts = {"a": "x", "b": "y"}, {"b": [tried("y")]}
    found = problems(rows, lossy, failures=failures, attempts=attempts)
    assert [(problem.kind, problem.is_bad) for problem in found] == [
        ("lost events", True),
        ("lost", True),
        ("hot", True),
        ("quarantined", True),
        ("silent", False),
        ("stale", False),
        ("stalled", False),
        ("failed", False),
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


def test_lost_events_are_listed_with_their_sources_the_greatest_loss_first() -> None:
    totals: RunTotals = {**TOTALS, "events_published": 3400, "events_lost": 12}
    sources = [lossy("sampler", 2), lossy("worker-1", 4), lossy("worker-1", 6, epoch=2)]
    assert texts([], totals, sources) == ["lost events: 12 of 3400 (worker-1: 10, sampler: 2)"]


def test_of_many_sources_that_lost_events_a_few_are_named() -> None:
    totals: RunTotals = {**TOTALS, "events_lost": 9}
    (line,) = texts([], totals, [lossy(f"w{number}", 1) for number in range(9)])
    assert line == "lost events: 9 of 500 (w0: 1, w1: 1, w2: 1, w3: 1 and 5 more)"


def test_with_several_hosts_a_source_is_named_with_its_host() -> None:
    rows = [row(0, host="a"), row(0, host="b")]
    totals: RunTotals = {**TOTALS, "events_lost": 9}
    (line,) = texts(rows, totals, [lossy("w0", 5, host="a"), lossy("w0\x1b", 4, host="b")])
    assert line == r"lost events: 9 of 500 (a w0: 5, b w0\x1b: 4)"


def test_many_devices_with_problems_make_few_lines() -> None:
    rows = [row(index, state="silent", since=400.0 + index) for index in range(64)]
    assert texts(rows, TOTALS) == [
        "silent: no heartbeat from GPU 0, GPU 1, GPU 2, GPU 3 and 60 more",
        "stalled: no file finished on GPU 0, GPU 1, GPU 2, GPU 3 and 60 more for 6m40s or more, 448 queued",
    ]


def test_hot_gpus_are_listed_the_hottest_first_although_they_have_a_column() -> None:
    assert texts([hot(0, 90.0), hot(1, 89.9), hot(2, 91.4)], TOTALS) == ["hot: GPU 2 91°C, GPU 0 90°C"]


def test_a_gpu_with_stale_figures_is_listed_with_their_age() -> None:
    assert texts([row(0, age=7.2), known(1, age=3.0), row("cpu:0")], TOTALS) == [
        "stale: no GPU sample from GPU 0 for 7.2 s",
    ]


def test_many_gpus_without_figures_make_one_line() -> None:
    (line,) = texts([row(index, age=9.0 + index) for index in range(6)], TOTALS)
    assert line == "stale: no GPU sample from GPU 0, GPU 1, GPU 2, GPU 3 and 2 more for 9.0 s or more"


def test_a_lost_gpu_is_not_listed_as_stale_too() -> None:
    assert texts([row(0, age=60.0, state="lost")], TOTALS) == ["lost: no worker on GPU 0"]


def test_failed_files_are_counted_and_a_few_are_named_with_their_reasons() -> None:
    failures = {f"f{number}.fa": "x" * 99 if number else "exit\x1b 1" for number in range(6)}
    (line,) = texts([], TOTALS, failures=failures)
    assert line.startswith(rf"failed 6: f0.fa (exit\x1b 1), f1.fa ({'x' * 60}...), f2.fa (")
    assert line.endswith(" and 2 more")


def test_a_file_that_failed_for_a_reason_of_no_attempt_is_quarantined() -> None:
    failures = {"bad.fa": "ValueError: x", "deadly.fa": "it ended 3 workers", "left.fa": "no device is left"}
    attempts = {"bad.fa": [tried("killed"), tried("ValueError: x")], "deadly.fa": [tried("killed")] * 3}
    assert texts([], TOTALS, failures=failures, attempts=attempts) == [
        "quarantined 2: deadly.fa (it ended 3 workers), left.fa (no device is left)",
        "failed: bad.fa (ValueError: x)",
    ]


def test_a_source_without_attempts_has_no_quarantined_files() -> None:
    assert texts([], TOTALS, failures={"a.fa": "x"}) == ["failed: a.fa (x)"]


def test_for_a_log_problems_are_named_without_reasons_and_figures_that_change() -> None:
    rows = [row(index, age=9.0, since=400.0 if index == 1 else 1.0) for index in range(3)]
    totals: RunTotals = {**TOTALS, "events_lost": 12}
    failures = {"a.fa": "x" * 99, "b.fa": "y"}
    found = problems(rows, totals, [lossy("w0", 12)], failures)
    assert [problem.brief for problem in found] == [
        "lost events: 12 of 500",
        "stale: GPU 0, GPU 1 and 1 more",
        "stalled: GPU 1",
        "failed 2: a.fa, b.fa",
    ]


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
def test_lost_silent_and_stale_devices_need_attention(seen: Row, troubled: bool) -> None:
    assert needs_attention(seen) is troubled


def test_a_stalled_device_needs_attention() -> None:
    assert needs_attention(row(since=300.0))
    assert not needs_attention(row(since=299.0))


def test_a_gpu_whose_fresh_samples_hold_no_figures_is_listed_and_a_cpu_is_not() -> None:
    rows = [row(0, age=0.5), row(1, age=0.5, state="lost"), known(2, age=0.5), row("cpu:0")]
    assert texts(rows, TOTALS) == [
        "lost: no worker on GPU 1",
        "unknown: the driver reports no figures for GPU 0; see virnucpro-bus doctor",
    ]


def test_a_lost_gpu_and_a_lost_worker_are_distinguished() -> None:
    metrics, utilization = row(0, state="lost")
    rows = [(metrics, {**utilization, "lost": True}), row(1, state="lost"), row("cpu:2", state="lost")]
    assert texts(rows, TOTALS) == ["lost: the driver has lost GPU 0", "lost: no worker on GPU 1, cpu:2"]
