"""The Grafana dashboard: whole, without overlaps, and of metrics that exist."""

from __future__ import annotations

import re
from itertools import combinations
from typing import Any

from monitor.prometheus.dashboard import WIDTH, dashboard
from monitor.prometheus.panels import PARTS
from tests.support.paths import GOLDEN, ROOT

METRICS = set(re.findall(r"^(virnucpro_\w+)", (GOLDEN / "prometheus" / "text.txt").read_text(), re.MULTILINE))
PANELS: list[dict[str, Any]] = dashboard()["panels"]


def test_every_metric_that_is_used_exists() -> None:
    rules = (ROOT / "monitor" / "prometheus" / "alerts.yml").read_text(encoding="utf-8")
    used = set(re.findall(r"\bvirnucpro_\w+", f"{dashboard()} {rules}"))
    assert used
    assert used <= METRICS


def test_no_panel_covers_another_or_leaves_the_grid() -> None:
    places = [panel["gridPos"] for panel in PANELS]
    assert all(place["x"] + place["w"] <= WIDTH for place in places)
    cells = [
        {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        for at in places
    ]
    assert not any(one & other for one, other in combinations(cells, 2))


def test_a_heading_asks_what_the_panels_below_it_answer() -> None:
    in_order = sorted(PANELS, key=lambda panel: (panel["gridPos"]["y"], panel["gridPos"]["x"]))
    titles = [title for part in PARTS for title in (part.question, *(panel.title for panel in part.panels))]
    assert [panel["title"] for panel in in_order] == titles
    assert len({panel["id"] for panel in PANELS}) == len(titles) == len(set(titles))


def test_every_curve_is_chosen_by_the_variables_and_has_a_legend() -> None:
    names = {variable["name"] for variable in dashboard()["templating"]["list"]}
    assert names == {"datasource", "run", "hostname"}
    for target in (target for panel in PANELS for target in panel.get("targets", ())):
        assert 'run=~"$run"' in target["expr"]
        assert "{{" in target["legendFormat"]
        assert target["datasource"]["uid"] == "${datasource}"


def test_every_estimate_has_its_range() -> None:
    for panel in (panel for part in PARTS for panel in part.panels):
        shown = " ".join(curve.expression for curve in panel.curves)
        if re.search(
            r"virnucpro_(stealing_saved_seconds|above_bound_ratio|makespan_seconds\{run=~.\$run.\})", shown
        ):
            assert 'end="least"' in shown, panel.title
            assert 'end="greatest"' in shown, panel.title
