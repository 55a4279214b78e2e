"""What a GPU did while a file was processed, against curves whose integrals are known, in all that reports it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.support.curves import CURVES, SPARSE, Curve, add_files, add_samples
from tests.support.exported import exported_rows
from tests.support.plans import run_plan
from tests.support.raw_captures import MadeCapture
from virnucpro_bus.clock import SystemClock
from virnucpro_bus.sources.playback import fold_capture
from virnucpro_bus.sources.recording import read_recording
from workers.launch.summary import sum_up

SECONDS = 600.0
LENGTHS = [0.3, 4.0, 1.1, 31.0, 0.6, 12.3]
every_curve = pytest.mark.parametrize("curve", CURVES, ids=lambda curve: curve.name)

Spans = Mapping[str, tuple[float, float]]


@pytest.fixture
def spans(tmp_path: Path, curve: Curve) -> Spans:
    """A capture of ten minutes of the curve, and the start and end of each file in it."""
    made = MadeCapture()
    found = add_files(made, LENGTHS, SECONDS)
    add_samples(made, curve, SECONDS)
    made.write(tmp_path / "run.vbus")
    return found


def wrong(files: Iterable[Mapping[str, Any]], spans: Spans, curve: Curve, blur: float = 0.0) -> list[str]:
    """The figures that are further from the truth than samples excuse, one line each.

    `blur` is what the documents concede for combined samples, in points of load and percent of memory.
    """
    found = []
    for file in files:
        start, end = spans[file["file"]]
        mean, joules = curve.mean(start, end), curve.joules(end) - curve.joules(start)
        moments = [start + (end - start) * step / 200 for step in range(201)]
        peak = max(map(curve.memory_bytes, moments))
        near = {curve.memory_bytes(start - SPARSE), curve.memory_bytes(end + SPARSE)}
        points = curve.error(end - start) + blur
        for what, seen, true, error in (
            ("compute_percent", file["compute_percent"], mean, points),
            ("energy_joules", file["energy_joules"], joules, 2 * (end - start) * points + 0.01),
            (
                "memory_peak_bytes",
                file["memory_peak_bytes"],
                peak,
                max(abs(peak - at) for at in near) + blur / 100 * peak,
            ),
        ):
            if seen is not None and abs(seen - true) > error:
                found.append(f"{file['file']}, {end - start:.1f} s: {what} is {seen}, expected {true} +- {error}")
    return found


def unknown(files: Iterable[Mapping[str, Any]]) -> list[str]:
    return [each["file"] for each in files if each["compute_percent"] is None or each["energy_joules"] is None]


@every_curve
def test_an_export_has_the_figures_of_the_curve(tmp_path: Path, curve: Curve, spans: Spans) -> None:
    rows = exported_rows(tmp_path / "run.vbus")
    assert len(rows) == len(spans)
    assert wrong(rows, spans, curve) == unknown(rows) == []


@every_curve
def test_the_summary_of_a_run_has_the_figures_of_the_curve(tmp_path: Path, curve: Curve, spans: Spans) -> None:
    summary = sum_up(
        run_plan(tmp_path),
        read_recording(tmp_path / "run.vbus", SystemClock(), with_info=True).ended_run(),
        pytest.fail,
        exit_code=0,
        files_done_before=0,
    )
    assert len(summary["files"]) == len(spans)
    assert wrong(summary["files"], spans, curve) == unknown(summary["files"]) == []


@every_curve
def test_a_live_report_has_the_figures_of_the_curve_or_none(tmp_path: Path, curve: Curve, spans: Spans) -> None:
    files = fold_capture(tmp_path / "run.vbus", SystemClock()).files()
    assert wrong(files, spans, curve, blur=6.25) == []
    # Of the last half minute single samples are known.
    recent = [file for file in files if spans[file["file"]][0] > SECONDS - 30]
    assert unknown(recent) == wrong(recent, spans, curve) == []
    assert len(recent) >= 2
