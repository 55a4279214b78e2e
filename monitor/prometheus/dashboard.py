"""Makes the Grafana dashboard, as Grafana imports it, from the table of its panels. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from monitor.prometheus.panels import PARTS, Panel

SCHEMA_VERSION = 39
"""Of the JSON model: that of Grafana 10, which later versions read."""
WIDTH = 24
"""Of Grafana's grid."""
HEIGHTS = {"stat": 4, "timeseries": 8}
"""Of each kind of panel."""
CURVES_IN_A_ROW = 2
_SOURCE = {"type": "prometheus", "uid": "${datasource}"}


def dashboard() -> dict[str, Any]:
    """Return the JSON model of the dashboard."""
    return {
        "title": "virnucpro-bus",
        "uid": "virnucpro-bus",
        "description": "How the load of a run is spread over its GPUs, whether stealing helps, and what is wrong.",
        "tags": ["gpu", "virnucpro-bus"],
        "schemaVersion": SCHEMA_VERSION,
        "version": 1,
        "refresh": "10s",
        "time": {"from": "now-1h", "to": "now"},
        "templating": {
            "list": [
                {"name": "datasource", "type": "datasource", "query": "prometheus", "label": "Data source"},
                _variable("run", "Run", "label_values(virnucpro_events_published_total, run)"),
                _variable("hostname", "Host", 'label_values(virnucpro_device_info{run=~"$run"}, hostname)'),
            ]
        },
        "panels": list(_panels()),
    }


def _variable(name: str, label: str, query: str) -> dict[str, Any]:
    # By default "all" lists the known values, which excludes series without the label.
    return {
        "name": name,
        "label": label,
        "type": "query",
        "datasource": _SOURCE,
        "query": query,
        "refresh": 2,
        "sort": 1,
        "includeAll": True,
        "allValue": ".*",
        "multi": True,
        "current": {"text": "All", "value": "$__all"},
    }


def _panels() -> Iterator[dict[str, Any]]:
    """Each part with a heading: its numbers in one row, then its curves."""
    number, y = 1, 0
    for part in PARTS:
        place = {"x": 0, "y": y, "w": WIDTH, "h": 1}
        yield {"id": number, "title": part.question, "type": "row", "gridPos": place, "panels": []}
        number, y = number + 1, y + 1
        stats = [panel for panel in part.panels if panel.kind == "stat"]
        curves = [panel for panel in part.panels if panel.kind == "timeseries"]
        for row in (stats, *(curves[at : at + CURVES_IN_A_ROW] for at in range(0, len(curves), CURVES_IN_A_ROW))):
            height, width = HEIGHTS[row[0].kind], WIDTH // len(row)
            for position, panel in enumerate(row):
                yield _panel(number, panel, {"x": position * width, "y": y, "w": width, "h": height})
                number += 1
            y += height


def _panel(number: int, panel: Panel, place: dict[str, int]) -> dict[str, Any]:
    is_curve = panel.kind == "timeseries"
    return {
        "id": number,
        "title": panel.title,
        "description": panel.text,
        "type": panel.kind,
        "datasource": _SOURCE,
        "gridPos": place,
        "fieldConfig": {"defaults": {"unit": panel.unit}, "overrides": []},
        "options": {"legend": {"displayMode": "list", "placement": "bottom"}} if is_curve else {},
        "targets": [
            {
                "refId": chr(ord("A") + position),
                "datasource": _SOURCE,
                "editorMode": "code",
                "expr": curve.expression,
                "legendFormat": curve.legend,
                "range": is_curve,
                "instant": not is_curve,
            }
            for position, curve in enumerate(panel.curves)
        ],
    }
