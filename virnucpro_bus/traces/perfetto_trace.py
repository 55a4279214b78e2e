"""Writes traces in Perfetto's own format, in which a device's counters belong to its row.

A trace is a sequence of packets, and encoded traces one after the other are one trace: so it is written in pieces.
Perfetto's package is imported only when one is made.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count
from typing import Any

from virnucpro_bus.errors import UserError
from virnucpro_bus.exporters import Document, Exporter, RowOptions
from virnucpro_bus.sources.recording import Recording
from virnucpro_bus.traces.layout import rows_of
from virnucpro_bus.traces.rows import Kind, Row, Slice

PACKETS_AT_ONCE = 1_000
"""So many are encoded together."""
_COLOURS: dict[Kind, str] = {
    "own": "planned",
    "stolen": "stolen",
    "failed": "file failed",
    "lost": "worker lost",
    "broken off": "cut off",
    "running": "running",
    "loading": "starting",
    "session": "the run",
    "unknown": "not known",
    "steal": "stolen",
    "worker lost": "worker lost",
    "notice": "notice",
}
"""A text by which Perfetto's UI chooses the colour: blue, green for what was stolen, red for failures."""
_WRITER = 1
"""The number of the only writer of a trace."""


def export_perfetto(recordings: Sequence[Recording], options: RowOptions) -> Iterator[Document]:
    """Make one trace of all recordings. Raises UserError without the package `perfetto`."""
    try:
        from perfetto.protos.perfetto.trace import perfetto_trace_pb2 as messages
    except Exception as error:  # besides ImportError: an older protobuf refuses the message types
        raise UserError(
            f"--format perfetto: the package perfetto cannot be imported ({error}); "
            "pip install 'virnucpro-bus[perfetto]', or use --format chrome-trace"
        ) from None
    yield Document("", _Writer(messages).content(rows_of(recordings)))


EXPORTER = Exporter("a timeline for ui.perfetto.dev (protobuf)", export_perfetto, is_binary=True)


class _Writer:
    """Writes one trace. `messages` has Perfetto's types."""

    def __init__(self, messages: Any) -> None:
        self._messages = messages
        self._types = messages.TrackEvent
        self._trace = messages.Trace()
        """The packets that are not encoded yet."""
        self._tracks = count(1)

    def content(self, hosts: Sequence[Row]) -> Iterator[bytes]:
        """The pieces of the trace."""
        for rank, host in enumerate(hosts):
            for _ in self._add_row(host, 0, rank):
                if len(self._trace.packet) >= PACKETS_AT_ONCE:
                    yield self._encoded()
        yield self._encoded()

    def _encoded(self) -> bytes:
        piece: bytes = self._trace.SerializeToString()
        self._trace = self._messages.Trace()  # one that is cleared keeps its memory
        return piece

    def _add_row(self, row: Row, parent: int, rank: int) -> Iterator[None]:
        """Add packets, a few at each step: those of a row, of its counters, and of the rows below it."""
        track = self._add_track(row.name, parent, rank)
        for each in row.slices:
            self._add_slice(each, track)
            yield
        ranks = count()
        for counter in row.counters:
            number = self._add_track(counter.name, track, next(ranks), counter.unit)
            for at_ns, value in counter.values:
                self._add_event(at_ns, number, self._types.TYPE_COUNTER).double_counter_value = value
                yield
        for below in row.rows:
            yield from self._add_row(below, track, next(ranks))

    def _add_track(self, name: str, parent: int, rank: int, unit: str | None = None) -> int:
        """Add a row, or a counter if it has a unit, as number `rank` of its parent; 0: it has none."""
        descriptor, types = self._trace.packet.add().track_descriptor, self._messages.TrackDescriptor
        descriptor.uuid = next(self._tracks)
        descriptor.name = name
        descriptor.sibling_order_rank = rank
        descriptor.child_ordering = types.EXPLICIT
        # Otherwise those of one name become one.
        descriptor.sibling_merge_behavior = types.SIBLING_MERGE_BEHAVIOR_NONE
        if parent:
            descriptor.parent_uuid = parent
        if unit is not None:
            descriptor.counter.unit_name = unit
            descriptor.counter.y_axis_share_key = name  # so that devices can be compared
        return int(descriptor.uuid)

    def _add_slice(self, each: Slice, track: int) -> None:
        is_instant = each.start_ns == each.end_ns
        event_type = self._types.TYPE_INSTANT if is_instant else self._types.TYPE_SLICE_BEGIN
        event = self._add_event(each.start_ns, track, event_type)
        event.name = each.name
        event.categories.append(each.kind)
        event.correlation_id_str = _COLOURS[each.kind]
        for name, value in each.arguments.items():
            annotation = event.debug_annotations.add()
            annotation.name = name
            if isinstance(value, str):
                annotation.string_value = value
            elif isinstance(value, int):
                annotation.int_value = value
            else:
                annotation.double_value = value
        if each.arrow_from is not None:
            event.flow_ids.append(each.arrow_from)
        if each.arrow_to is not None:
            event.terminating_flow_ids.append(each.arrow_to)
        if not is_instant:
            self._add_event(each.end_ns, track, self._types.TYPE_SLICE_END)

    def _add_event(self, at_ns: int, track: int, event_type: int) -> Any:
        packet = self._trace.packet.add()
        packet.timestamp = at_ns
        packet.trusted_packet_sequence_id = _WRITER
        event = packet.track_event
        event.type = event_type
        event.track_uuid = track
        return event
