"""Writes traces in the Trace Event Format, the JSON that Chrome introduced and most trace viewers read.

Times are whole microseconds since 1970: viewers hold them as floats, which have no room for fractions of these.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain, count
from typing import Any

import msgspec

from virnucpro_bus.exporters import Document, Exporter, RowOptions
from virnucpro_bus.sources.recording import Recording
from virnucpro_bus.traces.layout import rows_of
from virnucpro_bus.traces.rows import Counter, Row, Slice

_encode = msgspec.json.Encoder().encode


def export_chrome_trace(recordings: Sequence[Recording], options: RowOptions) -> Iterator[Document]:
    """Make one trace of all recordings."""
    yield Document("", _content(rows_of(recordings)))


EXPORTER = Exporter("a timeline for Perfetto and other trace viewers (JSON)", export_chrome_trace)


def _content(hosts: Sequence[Row]) -> Iterator[bytes]:
    yield b'{"displayTimeUnit":"ms","traceEvents":['
    separator = b"\n"
    numbers = count(1)
    for event in chain.from_iterable(_host_events(host, numbers) for host in hosts):
        yield separator + _encode(event)
        separator = b",\n"
    yield b"\n]}\n"


def _host_events(host: Row, numbers: Iterator[int]) -> Iterator[dict[str, Any]]:
    """The events of a host: a "process" whose "threads" are its rows. No two have the same of the numbers."""
    pid = next(numbers)
    yield _name("process", pid, 0, host.name)
    yield from _counter_events(pid, host.counters)
    for row in host.rows:
        yield from _row_events(row, pid, numbers)


def _row_events(row: Row, pid: int, numbers: Iterator[int]) -> Iterator[dict[str, Any]]:
    tid = next(numbers)
    yield _name("thread", pid, tid, row.name)
    yield {"ph": "M", "name": "thread_sort_index", "pid": pid, "tid": tid, "args": {"sort_index": tid}}
    for each in row.slices:
        yield _slice_event(each, pid, tid)
    yield from _counter_events(pid, row.counters)
    for below in row.rows:
        yield from _row_events(below, pid, numbers)


def _name(of: str, pid: int, tid: int, name: str) -> dict[str, Any]:
    return {"ph": "M", "name": f"{of}_name", "pid": pid, "tid": tid, "args": {"name": name}}


def _slice_event(each: Slice, pid: int, tid: int) -> dict[str, Any]:
    start_us, end_us = each.start_ns // 1000, each.end_ns // 1000
    event = {
        "ph": "X",
        "name": each.name,
        "cat": each.kind,
        "pid": pid,
        "tid": tid,
        "ts": start_us,
        "dur": end_us - start_us,
    }
    if each.arguments:
        event["args"] = each.arguments
    if each.arrow_from is not None:
        event |= {"bind_id": each.arrow_from, "flow_out": True}
    if each.arrow_to is not None:
        event |= {"bind_id": each.arrow_to, "flow_in": True}
    return event


def _counter_events(pid: int, counters: Sequence[Counter]) -> Iterator[dict[str, Any]]:
    for counter in counters:
        name = f"{counter.owner} {counter.name}".strip()
        for at_ns, value in counter.values:
            yield {"ph": "C", "name": name, "pid": pid, "ts": at_ns // 1000, "args": {counter.unit: value}}
