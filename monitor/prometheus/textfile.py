"""Writes the last state of recorded runs as metrics, for machines that nothing scrapes.

node_exporter's textfile collector reads Prometheus text without times; it refuses OpenMetrics, whose types it does
not know. Other programs read OpenMetrics alone, so that there is a format of each name.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

from virnucpro_bus.exporters import Document, Exporter, RowOptions
from virnucpro_bus.fold.fleet_group import FleetGroup
from virnucpro_bus.sources.recording import Recording

OPENMETRICS_TYPE = "application/openmetrics-text; version=1.0.0"


def export_metrics(accept: str | None, recordings: Sequence[Recording], options: RowOptions) -> Iterator[Document]:
    """Make one file of the metrics of all recordings; `accept` is as for a scrape."""
    from monitor.prometheus.exposition import file_content  # takes long to load, and --help needs only the summary

    fleets = FleetGroup({str(recording.path.parent): recording.fleet for recording in recordings})
    yield Document("", [file_content(fleets, accept)])


PROMETHEUS = Exporter("the last state, for node_exporter's textfile collector", partial(export_metrics, None))
OPENMETRICS = Exporter("the last state, as OpenMetrics", partial(export_metrics, OPENMETRICS_TYPE))
