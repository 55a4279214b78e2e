"""Traces in the Trace Event Format. To rewrite the golden file: UPDATE_GOLDENS=1 .venv/bin/pytest THIS_FILE."""

from __future__ import annotations

import json
import os
from itertools import pairwise
from pathlib import Path
from typing import Any

from tests.support.harmful_texts import assert_harmless
from tests.support.recordings import recorded
from tests.support.traced_runs import eventful_run, harmful_runs
from virnucpro_bus.exporters import RowOptions
from virnucpro_bus.sources.recording import Recording
from virnucpro_bus.traces.chrome_trace import EXPORTER

GOLDEN = Path(__file__).parents[3] / "golden" / "traces" / "eventful_run.json"


def trace_of(*recordings: Recording) -> bytes:
    (document,) = EXPORTER.export(recordings, RowOptions())
    assert document.name == ""
    return b"".join(document.content)


def events_of(trace: bytes) -> list[dict[str, Any]]:
    events: list[dict[str, Any]] = json.loads(trace)["traceEvents"]
    return events


def test_a_run_as_a_trace_is_that_of_the_golden_file() -> None:
    trace = trace_of(recorded(eventful_run()))
    if os.environ.get("UPDATE_GOLDENS"):
        GOLDEN.write_bytes(trace)
    assert trace == GOLDEN.read_bytes()


def test_times_are_whole_microseconds_so_that_neighbours_do_not_overlap() -> None:
    run = eventful_run()
    run.clock.mono += 999
    run.clock.wall += 999
    slices = [each for each in events_of(trace_of(recorded(run, eventful_run("node-b")))) if each["ph"] == "X"]
    assert all(isinstance(each[name], int) for each in slices for name in ("ts", "dur"))
    rows: dict[int, list[dict[str, Any]]] = {}
    for each in slices:
        if each["dur"]:
            rows.setdefault(each["tid"], []).append(each)
    for row in rows.values():
        assert all(before["ts"] + before["dur"] <= after["ts"] for before, after in pairwise(row))


def test_no_two_rows_of_two_hosts_have_the_same_number() -> None:
    names = [
        each
        for each in events_of(trace_of(recorded(eventful_run(), eventful_run("node-b"))))
        if each["name"] in ("process_name", "thread_name")
    ]
    numbers = [each["tid"] or each["pid"] for each in names]
    assert len(set(numbers)) == len(numbers) == 12


def test_harmful_texts_are_written_out() -> None:
    for recording in harmful_runs():
        trace = trace_of(recording, recording)
        assert_harmless(trace.decode())
        assert events_of(trace)


def test_a_run_without_events_is_a_trace_without_events() -> None:
    assert events_of(trace_of(recorded())) == []
