"""View models for tests of the screen, and the comparison with golden files.

To rewrite the golden files, set UPDATE_GOLDENS=1 in the environment, then read the diff.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import replace
from typing import cast

from monitor.model.selection import EVERYTHING, ViewOptions
from monitor.model.trends import SAMPLES_KEPT
from monitor.model.view_model import NOTICE, DeviceKey, RunHistory, Trend, ViewModel, device_key
from monitor.view.frame import frame
from tests.support.paths import GOLDEN
from virnucpro_bus.effect.combine import unknown_effect
from virnucpro_bus.health.problems import Problem, problems
from virnucpro_bus.health.rows import DeviceWork, Row, RunTotals
from virnucpro_bus.metrics import UNKNOWN_UTILIZATION, GpuUtilization, Range, StealEvent

GOLDENS = GOLDEN / "view"
STATES = ["busy", "busy", "busy", "lost", "idle", "busy", "silent", "starting"]
NAMES = ["NVIDIA GeForce RTX 4090", "NVIDIA RTX A6000", "NVIDIA H100 80GB HBM3", "Tesla V100-SXM2-16GB"]


HISTORY = RunHistory(
    seconds=tuple(2.0 * at for at in range(120)),
    throughputs=tuple(None if 40 <= at < 44 else 120.0 + at % 30 for at in range(120)),
    computes=tuple(0.8 * at for at in range(120)),
)


def row(index: int, state: str = "busy") -> Row:
    """Device `index` of node1, with figures that differ from device to device."""
    dead = state == "lost"
    metrics: DeviceWork = {
        "device_id": index,
        "device_name": NAMES[index % len(NAMES)],
        "queue_depth": (7 * index + 3) % 11,
        "files_completed": 20 + (5 * index) % 13,
        "work_stolen_from": index % 3,
        "work_stolen_to": (index + 1) % 4,
        "throughput": None if dead else 11.04 * (1 + index % 5),
        "last_update_time": 1_700_000_000.0,
        "uuid": f"GPU-{index:08d}",
        "host": "node1",
        "sequences": 1000 * index,
        "files_failed": 2 if index == 2 else 0,
        "state": state,
        "current_file": f"samples/sample_{index + 20}.fa" if state == "busy" else None,
        "seconds_since_done": 1.5 * (index % 100),
        "current_file_percent": (17.3 * index) % 100 if state == "busy" else None,
        "loading_seconds": 42.5 if state == "loading" else None,
        "key": f"GPU-{index:08d}",
        "gpus": [f"GPU-{index:08d}"],
        "cpu_percent": None,
        "resident_bytes": None,
        "worker": None,
        "read_bytes_per_second": None,
    }
    utilization: GpuUtilization = {
        "compute_percent": 0.0 if state == "idle" else [97.4, 88.0, 22.0, 64.0][index % 4],
        "memory_percent": [43.2, 96.0, 87.0, 12.0][index % 4],
        "temperature": [71.0, 92.0, 84.0, 55.0][index % 4],
        "power_watts": 312.4 - index,
        "compute_max_percent": 0.0 if state == "idle" else [100.0, 99.0, 31.0, 97.0][index % 4],
        "energy_joules": 1000.0 * index,
        "sample_age_seconds": 0.4,
        "simulated": False,
        "lost": False,
        "memory_used_bytes": [34_560, 76_800, 69_600, 9_600][index % 4] * 10**6,
        "memory_total_bytes": 80_000 * 10**6,
    }
    return metrics, {**UNKNOWN_UTILIZATION, "lost": True} if dead else utilization


def placed(index: int, host: str, run: str) -> Row:
    """Device `index` of another host and run."""
    metrics, utilization = row(index)
    of_run: DeviceWork = {**metrics, "host": host, "run": run}
    return of_run, utilization


def snapshot(devices: int = 8, health: tuple[Problem, ...] | None = None) -> ViewModel:
    """A run on so many devices of one host, in all states, with steals and trends, and what is wrong with them."""
    rows = tuple(row(index, STATES[index] if index < len(STATES) else "busy") for index in range(devices))
    done = sum(metrics["files_completed"] or 0 for metrics, _ in rows)
    totals: RunTotals = {
        "files_total": done + 82,
        "files_completed": done,
        "files_failed": 2,
        "sequences": 88_000,
        "steals": 12,
        "events_published": 5000,
        "events_received": 5000,
        "events_lost": 0,
    }
    return ViewModel(
        rows=rows,
        totals=totals,
        steals=tuple(
            {
                "timestamp": 1_700_000_000.0 + 7 * index,
                "source_gpu": index % 8,
                "dest_gpu": (3 * index + 1) % 8,
                "file_name": f"sample_{index}.fa",
                "host": f"node{index % 2}",
            }
            for index in range(12)
        ),
        now_ns=1_700_000_321_000_000_000,
        elapsed_seconds=723.0,
        eta_seconds=1571.9,
        health=problems(rows, totals, ()) if health is None else health,
        title="run 20231114-221320",
        trends=trends(rows),
        history=HISTORY,
    )


def with_rows(shot: ViewModel, rows: Iterable[Row]) -> ViewModel:
    """`shot` with other devices, and what is wrong with these."""
    rows = tuple(rows)
    return replace(shot, rows=rows, trends=trends(rows), health=problems(rows, shot.totals, ()))


def trends(rows: tuple[Row, ...]) -> dict[DeviceKey, Trend]:
    """How the devices have done lately: one always the same, others up, down or in waves, with a gap."""
    return {
        device_key(metrics): Trend(
            tuple(_wave(index, at, utilization["compute_percent"]) for at in range(SAMPLES_KEPT)),
            tuple(_wave(index + 1, at, metrics["throughput"]) for at in range(SAMPLES_KEPT - 5 * (index % 3))),
        )
        for index, (metrics, utilization) in enumerate(rows)
    }


def _wave(index: int, at: int, value: float | None) -> float | None:
    if value is None or (index % 4 == 1 and at % 13 == 7):
        return None
    if index % 4 == 0:
        return value
    if index % 4 == 1:
        return value * at / (SAMPLES_KEPT - 1)
    return value * (1 - at / SAMPLES_KEPT) if index % 4 == 2 else value * (at * index % 9) / 9


STALLED: tuple[Row, ...] = tuple(
    ({**metrics, "seconds_since_done": 412.0}, told) if metrics["device_id"] == 5 else (metrics, told)
    for metrics, told in snapshot(8).rows
)
TROUBLED = (
    *problems(
        STALLED,
        {**snapshot(8).totals, "events_lost": 12},
        [{"host": "node1", "source": "worker-1", "epoch": 1, "published": 900, "received": 888, "lost": 12}],
        {
            "sample_05.fa": "it ended 3 workers, the last: killed by SIGKILL",
            "sample_13.fa": "ValueError: unreadable record 7",
            "sample_21.fa": "CUDA out of memory: tried to allocate 20.00 MiB, of which 3.1 MiB are free",
        },
        {
            "sample_05.fa": [{"attempt": 3, "device": "GPU-00000001", "reason": "killed by SIGKILL"}],
            "sample_13.fa": [
                {"attempt": 1, "device": "GPU-00000002", "reason": "ValueError: unreadable record 7"},
            ],
            "sample_21.fa": [
                {
                    "attempt": 3,
                    "device": "GPU-00000004",
                    "reason": "CUDA out of memory: tried to allocate 20.00 MiB, of which 3.1 MiB are free",
                },
            ],
        },
    ),
    Problem("22:16:40 the worker of GPU 3 was ended: it gave no sign of life for 60 s", kind=NOTICE),
)
IN_TROUBLE = replace(snapshot(8, TROUBLED), rows=STALLED)
KEYS = "n p page  s sort  q quit"
ON_CPUS = with_rows(
    snapshot(4),
    (
        ({**row(i)[0], "device_id": f"cpu:{i}", "device_name": "CPU worker", "gpus": []}, UNKNOWN_UTILIZATION)
        for i in range(4)
    ),
)
USED: list[tuple[float | None, int | None, float | None]] = [
    (98.4, 1_288_490_189, 0.0),
    (250.0, 1_288_490_189, 13_107_200.0),
    (3.2, 734_003_200, 1_288_490_189.0),
    (None, None, None),
]
ON_CPUS_MEASURED = with_rows(
    ON_CPUS,
    (
        ({**metrics, "cpu_percent": cpu, "resident_bytes": resident, "read_bytes_per_second": reads}, figures)
        for (metrics, figures), (cpu, resident, reads) in zip(ON_CPUS.rows, USED, strict=True)
    ),
)
ON_TWO_HOSTS = with_rows(
    snapshot(8), (({**row(i)[0], "device_id": i % 4, "host": f"node{i // 4}"}, row(i)[1]) for i in range(8))
)
EFFECTS_OF_STEALS: list[tuple[float | None, Range | None]] = [
    (14.2, (12.0, 16.5)),
    (None, None),
    (-3.0, (-4.0, -2.0)),
]
WITH_EFFECT = replace(
    snapshot(8),
    eta_range=(1505.0, 1810.0),
    effect={
        **unknown_effect(),
        "makespan_seconds": 653.0,
        "makespan_without_stealing_seconds": 845.0,
        "makespan_without_stealing_range": (830.0, 861.0),
        "lower_bound_seconds": 642.0,
        "above_bound_percent": 1.7,
        "above_bound_range": (0.9, 2.6),
        "saved_seconds": 192.0,
        "saved_range": (177.0, 208.0),
        "moves": 12,
        "steals": [
            {**cast("StealEvent", steal), "saved_seconds": seconds, "saved_range": likely}
            for steal, (seconds, likely) in zip(snapshot(8).steals, 4 * EFFECTS_OF_STEALS, strict=True)
        ],
    },
)
EMPTY = replace(
    snapshot(0),
    steals=(),
    elapsed_seconds=None,
    eta_seconds=None,
    totals={**snapshot(0).totals, "files_total": None},
)
ONE_MODEL = with_rows(
    WITH_EFFECT,
    (
        ({**row(index)[0], "device_name": "NVIDIA A100-SXM4-80GB"}, {**row(index)[1], "temperature": 60.0 + index})
        for index in range(8)
    ),
)
FINISHED = replace(
    with_rows(
        snapshot(8),
        (({**row(index, "stopped")[0], "queue_depth": 0}, row(index, "stopped")[1]) for index in range(8)),
    ),
    totals={**snapshot(8).totals, "files_total": 300, "files_completed": 289, "files_failed": 11},
    eta_seconds=0.0,
)
LOADING = with_rows(
    snapshot(4),
    (
        ({**metrics, "throughput": None, "seconds_since_done": 0.0, "loading_seconds": seconds}, told)
        if (seconds := {1: 42.5, 3: 3725.0}.get(index))
        else (metrics, told)
        for index, (metrics, told) in enumerate(row(at, "loading" if at % 2 else "busy") for at in range(4))
    ),
)
SIMULATED = with_rows(snapshot(8), ((metrics, {**told, "simulated": True}) for metrics, told in snapshot(8).rows))
STALE = with_rows(
    snapshot(4),
    (
        (metrics, {**UNKNOWN_UTILIZATION, "sample_age_seconds": 7.0} if index == 1 else told)
        for index, (metrics, told) in enumerate(snapshot(4).rows)
    ),
)
GPUS_ALONE = with_rows(
    replace(EMPTY, now_ns=snapshot().now_ns, trends=snapshot(2).trends),
    (
        (
            {**metrics, "state": "lost" if index == 3 else "unused", "files_completed": 0, "queue_depth": None},
            {**told, "memory_used_bytes": (10 * index + 3) << 30, "memory_total_bytes": 80 << 30}
            if index < 2
            else {**UNKNOWN_UTILIZATION, "lost": index == 3},
        )
        for index, (metrics, told) in enumerate(snapshot(4).rows)
    ),
)
ALL = {
    "8-devices": IN_TROUBLE,
    "64-devices": snapshot(64),
    "cpus": ON_CPUS,
    "cpus-measured": ON_CPUS_MEASURED,
    "two-hosts": ON_TWO_HOSTS,
    "nothing-yet": EMPTY,
    "with-effect": WITH_EFFECT,
    "simulated": SIMULATED,
    "stale": STALE,
    "loading": LOADING,
    "finished-with-failures": FINISHED,
    "gpus-alone": GPUS_ALONE,
}


def plain(
    shot: ViewModel, width: int, height: int | None, options: ViewOptions = EVERYTHING, keys: str = ""
) -> str:
    """The frame as text."""
    return "".join(text.plain.rstrip() + "\n" for text in frame(shot, width, height, options=options, keys=keys))


def colour_of(shot: ViewModel, width: int, words: str, beside: str = "") -> str:
    """The style of `words` where they first stand in the frame, in a line with `beside`; "" for none."""
    text = next(text for text in frame(shot, width, 60) if words in text.plain and beside in text.plain)
    at = text.plain.index(words)
    styles = [str(span.style) for span in text.spans if span.start <= at and at + len(words) <= span.end]
    return styles[-1] if styles else str(text.style)


def assert_golden(name: str, text: str) -> None:
    """`text` is what tests/golden/view holds under `name`."""
    golden = GOLDENS / f"{name}.txt"
    if os.environ.get("UPDATE_GOLDENS"):
        golden.write_text(text, encoding="utf-8")
    assert text == golden.read_text(encoding="utf-8")
