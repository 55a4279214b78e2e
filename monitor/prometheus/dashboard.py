"""Makes the Grafana dashboard, as Grafana imports it, from the table of its panels. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from monitor.prometheus.panels import PARTS, Panel

SCHEMA_VERSION = 39
"""Of the JSON model: that of Grafana 10, which later versions read."""
WIDTH = 24
"""Of Grafana's grid."""
SIZES = {"stat": (6, 4), "timeseries": (12, 8)}
"""Width and height of each kind of panel."""
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
    """Each part with a heading, its panels in rows from left to right."""
    number, y = 1, 0
    for part in PARTS:
        place = {"x": 0, "y": y, "w": WIDTH, "h": 1}
        yield {"id": number, "title": part.question, "type": "row", "gridPos": place, "panels": []}
        number, x, y, row_height = number + 1, 0, y + 1, 0
        for panel in part.panels:
            width, height = SIZES[panel.kind]
            if x + width > WIDTH or (x and height != row_height):
                x, y = 0, y + row_height
            yield _panel(number, panel, {"x": x, "y": y, "w": width, "h": height})
            number, x, row_height = number + 1, x + width, height
        y += row_height


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
