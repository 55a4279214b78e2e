"""Writes the last state of recorded runs for node_exporter's textfile collector, on machines that nothing scrapes.

It reads Prometheus text without times, and refuses OpenMetrics, which has other types.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from virnucpro_bus.exporters import Document, Exporter, RowOptions
from virnucpro_bus.fold.fleet_group import FleetGroup
from virnucpro_bus.sources.recording import Recording


def export_metrics(recordings: Sequence[Recording], options: RowOptions) -> Iterator[Document]:
    """Make one file of the metrics of all recordings."""
    from monitor.prometheus.exposition import exposition  # takes long to load, and --help needs only the summary

    fleets = FleetGroup({str(recording.path.parent): recording.fleet for recording in recordings})
    body, _ = exposition(fleets, None)
    yield Document("", [body])


EXPORTER = Exporter("the last state as metrics, for node_exporter's textfile collector", export_metrics)
