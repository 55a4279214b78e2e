"""Frames and lines: goldens, and what must hold at every size and for every name.

Write the goldens anew with:  UPDATE_GOLDENS=1 .venv/bin/python -m pytest tests/unit/test_view.py
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from monitor.glyphs import ASCII
from monitor.snapshot import Row, Snapshot
from monitor.view import frame, line
from virnucpro_bus.effect import unknown_effect
from virnucpro_bus.metrics import UNKNOWN_UTILIZATION, GpuMetrics, GpuUtilization, Totals
from virnucpro_bus.text import visible

GOLDENS = Path(__file__).parent.parent / "golden" / "view"
STATES = ["busy", "busy", "busy", "lost", "idle", "busy", "silent", "starting"]
NAMES = ["NVIDIA GeForce RTX 4090", "NVIDIA RTX A6000", "NVIDIA H100 80GB HBM3", "Tesla V100-SXM2-16GB"]
NASTY = [
    "\x1b]0;owned\x07\x1b[2J",
    "[red]not markup[/red] [/x]",
    "\u202egnp.exe\u2066",
    "a\nb\r\tc\x0b\x9b31m",
    "\ud800 \udcff lone",
    "試料" * 40,
    "e\u0301" * 200,
    ":smile: \u200b\ufeff",
    "x" * 4096,
    "\u0301" * 4096,
    "",
]


@pytest.fixture(autouse=True)
def _utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Times of day are the viewer's: make that UTC."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def row(index: int, state: str = "busy") -> Row:
    dead = state == "lost"
    metrics: GpuMetrics = {
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
    }
    utilization: GpuUtilization = {
        "compute_percent": 0.0 if state == "idle" else [97.4, 88.0, 22.0, 64.0][index % 4],
        "memory_percent": [43.2, 96.0, 87.0, 12.0][index % 4],
        "temperature": [71.0, 92.0, 84.0, 55.0][index % 4],
        "power_watts": 312.4 - index,
    }
    return metrics, UNKNOWN_UTILIZATION if dead else utilization


def snapshot(devices: int = 8, health: tuple[str, ...] = ()) -> Snapshot:
    rows = tuple(row(index, STATES[index] if index < len(STATES) else "busy") for index in range(devices))
    done = sum(metrics["files_completed"] for metrics, _ in rows)
    totals: Totals = {
        "files_total": done + 82,
        "files_completed": done,
        "files_failed": 2,
        "sequences": 88_000,
        "steals": 12,
        "events_published": 5000,
        "events_received": 5000,
        "events_lost": 0,
    }
    return Snapshot(
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
        health=health,
        title="run 20231114-221320",
    )


TROUBLED = ("lost events: 12 of 5000", "lost: GPU 3", "silent: no sign of life from GPU 6", "stalled: GPU 1 ...")
ON_CPUS = replace(
    snapshot(4),
    rows=tuple(
        ({**row(index)[0], "device_id": f"cpu:{index}", "device_name": "CPU worker"}, UNKNOWN_UTILIZATION)
        for index in range(4)
    ),
)
ON_TWO_HOSTS = replace(
    snapshot(8),
    rows=tuple(({**row(i)[0], "device_id": i % 4, "host": f"node{i // 4}"}, row(i)[1]) for i in range(8)),
)
WITH_EFFECT = replace(
    snapshot(8),
    effect={
        **unknown_effect(),
        "makespan_seconds": 653.0,
        "makespan_without_stealing_seconds": 845.0,
        "above_bound_percent": 1.7,
        "saved_seconds": 192.0,
        "moves": 12,
        "steals": [
            {**steal, "saved_seconds": [14.2, None, -3.0][index % 3]}
            for index, steal in enumerate(snapshot(8).steals)
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


def plain(shot: Snapshot, width: int, height: int | None) -> str:
    return "".join(text.plain.rstrip() + "\n" for text in frame(shot, width, height))


def assert_golden(name: str, text: str) -> None:
    golden = GOLDENS / f"{name}.txt"
    if os.environ.get("UPDATE_GOLDENS"):
        golden.write_text(text, encoding="utf-8")
    assert text == golden.read_text(encoding="utf-8")


@pytest.mark.parametrize("height", [10, 24, 60])
@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_eight_devices_look_as_they_should(width: int, height: int) -> None:
    assert_golden(f"8-devices-{width}x{height}", plain(snapshot(8, TROUBLED), width, height))


@pytest.mark.parametrize(
    ("name", "shot"),
    [
        ("64-devices", snapshot(64)),
        ("cpus", ON_CPUS),
        ("two-hosts", ON_TWO_HOSTS),
        ("nothing-yet", EMPTY),
        ("with-effect", WITH_EFFECT),
    ],
)
def test_other_fleets_look_as_they_should_at_80_by_24(name: str, shot: Snapshot) -> None:
    assert_golden(f"{name}-80x24", plain(shot, 80, 24))


@pytest.mark.parametrize(
    ("name", "shot"),
    [
        ("8-devices", snapshot(8, TROUBLED)),
        ("64-devices", snapshot(64)),
        ("cpus", ON_CPUS),
        ("two-hosts", ON_TWO_HOSTS),
        ("nothing-yet", EMPTY),
        ("with-effect", WITH_EFFECT),
    ],
)
def test_plain_lines_look_as_they_should(name: str, shot: Snapshot) -> None:
    assert_golden(f"line-{name}", line(shot) + "\n")


@given(width=st.integers(1, 250), height=st.integers(1, 80), devices=st.integers(0, 70))
@settings(max_examples=60, deadline=None)
def test_a_frame_fits_any_terminal(width: int, height: int, devices: int) -> None:
    texts = frame(replace(WITH_EFFECT, rows=snapshot(devices).rows, health=TROUBLED), width, height)
    assert len(texts) <= height
    assert all(cell_len(text.plain) <= width for text in texts)


@given(height=st.integers(6, 100), devices=st.integers(0, 70))
@settings(max_examples=60, deadline=None)
def test_every_device_is_shown_or_counted_and_the_total_always_there(height: int, devices: int) -> None:
    text = plain(snapshot(devices), 80, height)
    shown = sum(text.count(f"\n {mark} GPU ") for mark in "●○×?")
    left_out = int(text.split("... ")[1].split(" more")[0]) if " more: " in text else 0
    assert shown + left_out == devices
    assert "\n   TOTAL " in text


@given(width=st.integers(20, 250))
@settings(deadline=None)
def test_no_header_is_ever_cut(width: int) -> None:
    header = plain(snapshot(), width, 24).splitlines()[3]
    assert set(header.split()) <= {
        *("DEVICE", "NAME", "STATE", "COMPUTE", "MEMORY", "SEQ/S", "QUEUE", "DONE", "FAILED", "STOLEN"),
        *("TEMP", "POWER", "FILE"),
    }


def test_devices_in_trouble_are_shown_before_others_when_not_all_fit() -> None:
    text = plain(snapshot(8), 80, 9)
    assert "× GPU 3" in text
    assert "? GPU 6" in text


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
    assert lost.split().count("n/a") == 5


def test_bad_states_can_be_told_without_colour_at_every_width() -> None:
    for width in (40, 60, 80, 120, 200):
        text = plain(snapshot(), width, 24)
        assert "LOST" in text
        assert "SILENT" in text


def test_an_unfinished_run_is_never_at_100_percent() -> None:
    totals: Totals = {**snapshot().totals, "files_total": 1000, "files_completed": 999, "files_failed": 0}
    assert " 99%" in plain(replace(snapshot(), totals=totals), 80, 24)


def test_a_run_with_nothing_left_says_that_it_is_finished() -> None:
    totals: Totals = {**snapshot().totals, "files_total": 10, "files_completed": 8, "files_failed": 2}
    assert plain(replace(snapshot(), totals=totals), 80, 24).splitlines()[1].endswith("finished")


def test_lost_events_are_on_the_line_only_when_there_are_any() -> None:
    lossy: Totals = {**snapshot().totals, "events_lost": 12}
    assert " | lost 12" in line(replace(snapshot(), totals=lossy))
    assert "lost" not in line(snapshot(3))


def test_problems_that_a_line_does_not_tell_otherwise_stand_at_its_end() -> None:
    assert line(snapshot(2, TROUBLED)).endswith(" | stalled: GPU 1 ...")


@pytest.mark.parametrize("devices", [64, 1000])
def test_a_line_stays_short_and_says_how_many_devices_it_leaves_out(devices: int) -> None:
    text = line(snapshot(devices))
    named = text.count("| GPU ")
    assert len(text) < 800
    assert f"| {devices - named} more devices |" in text


def test_a_terminal_without_unicode_gets_ascii_alone() -> None:
    odd = replace(snapshot(8, ("é",)), title="試料")
    assert all(text.plain.isascii() for text in frame(odd, 200, 60, ASCII))


def nasty(text: str) -> Snapshot:
    metrics, utilization = row(0)
    odd: GpuMetrics = {
        **metrics,
        "device_id": text,
        "device_name": text,
        "host": text,
        "state": text,
        "current_file": text,
    }
    return replace(
        snapshot(),
        rows=((odd, utilization), row(1)),
        steals=({"timestamp": 1.7e9, "source_gpu": text, "dest_gpu": text, "file_name": text, "host": text},),
        health=(text, text),
        title=text,
    )


def assert_harmless(text: str) -> None:
    shot = nasty(text)
    for width in (60, 200):
        for shown in frame(shot, width, 24):
            assert visible(shown.plain) == shown.plain
            assert cell_len(shown.plain) <= width
    assert visible(line(shot)) == line(shot)
    assert len(line(shot)) < 2500


@pytest.mark.parametrize("text", NASTY)
def test_no_nasty_name_drives_the_terminal_or_breaks_the_layout(text: str) -> None:
    assert_harmless(text)


@given(text=st.text(st.characters()))
@settings(deadline=None)
def test_no_name_at_all_drives_the_terminal_or_breaks_the_layout(text: str) -> None:
    assert_harmless(text)


def test_a_frame_with_little_room_leaves_out_what_stealing_has_done() -> None:
    assert "stealing: 12 moves, saved 3m12s of 14m05s, 1.7 % above the bound" in plain(WITH_EFFECT, 80, 24)
    assert "stealing:" not in plain(WITH_EFFECT, 80, 10)


def test_a_steal_whose_effect_is_unknown_is_shown_without_it() -> None:
    picture = plain(WITH_EFFECT, 120, 60)
    assert "sample_9.fa  saved 14.2s\n" in picture
    assert "sample_10.fa\n" in picture
    assert "sample_11.fa  lost 3.0s\n" in picture


def test_markup_in_a_name_is_shown_as_it_is() -> None:
    assert "[red]not markup[/red]" in plain(nasty(NASTY[1]), 200, 24)
