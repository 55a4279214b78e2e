"""Traces in Perfetto's own format."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from tests.support.harmful_texts import assert_harmless
from tests.support.recordings import recorded
from tests.support.traced_runs import eventful_run, harmful_runs, read
from virnucpro_bus.errors import UserError
from virnucpro_bus.exporters import RowOptions
from virnucpro_bus.sources.recording import Recording
from virnucpro_bus.traces.layout import rows_of
from virnucpro_bus.traces.perfetto_trace import EXPORTER, PACKETS_AT_ONCE


def pieces_of(*recordings: Recording) -> list[bytes]:
    (document,) = EXPORTER.export(recordings, RowOptions())
    assert document.name == ""
    return list(document.content)


def packets_of(*recordings: Recording) -> list[Any]:
    pytest.importorskip("perfetto", reason="the package perfetto is not installed")
    from perfetto.protos.perfetto.trace.perfetto_trace_pb2 import Trace

    return list(Trace.FromString(b"".join(pieces_of(*recordings))).packet)


def test_each_row_and_each_counter_is_a_track_below_its_parent() -> None:
    tracks = [
        each.track_descriptor for each in packets_of(recorded(eventful_run())) if each.HasField("track_descriptor")
    ]
    names = {each.uuid: each.name for each in tracks}
    assert [(names.get(each.parent_uuid), each.name, each.counter.unit_name) for each in tracks] == [
        (None, "node-a", ""),
        ("node-a", "pending", "files"),
        ("node-a", "run", ""),
        ("node-a", "GPU 0 NVIDIA A100", ""),
        ("GPU 0 NVIDIA A100", "compute", "%"),
        ("GPU 0 NVIDIA A100", "memory", "bytes"),
        ("GPU 0 NVIDIA A100", "power", "W"),
        ("GPU 0 NVIDIA A100", "GPU 0 unknown figures", ""),
        ("node-a", "GPU 1 NVIDIA A100", ""),
        ("GPU 1 NVIDIA A100", "compute", "%"),
        ("GPU 1 NVIDIA A100", "memory", "bytes"),
        ("GPU 1 NVIDIA A100", "power", "W"),
        ("GPU 1 NVIDIA A100", "GPU 1 unknown figures", ""),
    ]


def test_each_slice_begins_and_ends_at_its_nanosecond_on_its_own_track() -> None:
    recording = recorded(eventful_run())
    events = [(each.timestamp, each.track_event) for each in packets_of(recording) if each.HasField("track_event")]
    edges = [
        edge
        for row in read(rows_of([recording]))
        for each in row.slices
        for edge in (
            [(each.start_ns, 3)] if each.start_ns == each.end_ns else [(each.start_ns, 1), (each.end_ns, 2)]
        )
    ]
    assert sorted((at_ns, event.type) for at_ns, event in events if event.type != 4) == sorted(edges)


def test_a_long_trace_is_written_in_pieces() -> None:
    run = eventful_run()
    more = [eventful_run(f"node-{number}") for number in range(40)]
    pieces = pieces_of(recorded(run, *more))
    assert len(pieces) > 1
    assert len(packets_of(recorded(run, *more))) > PACKETS_AT_ONCE


def test_harmful_texts_are_written_out() -> None:
    for recording in harmful_runs():
        for packet in packets_of(recording, recording):
            event = packet.track_event
            annotations = "".join(each.string_value for each in event.debug_annotations)
            assert_harmless(packet.track_descriptor.name + event.name + annotations)


def test_a_run_without_events_is_an_empty_trace() -> None:
    assert packets_of(recorded()) == []


def test_without_the_package_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "perfetto"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "perfetto", None)
    with pytest.raises(UserError) as raised:
        pieces_of(recorded())
    (line,) = str(raised.value).splitlines()
    assert "pip install 'virnucpro-bus[perfetto]'" in line
    assert "--format chrome-trace" in line
