"""docs/prometheus.md lists every metric and every alert, with its labels, and no other."""

from __future__ import annotations

import re

from monitor.prometheus.metric import DEVICE_LABELS, RUN_LABELS
from tests.support.paths import DOCS, GOLDEN, ROOT

PAGE = (DOCS / "prometheus.md").read_text(encoding="utf-8")
METRICS = (GOLDEN / "prometheus" / "text.txt").read_text(encoding="utf-8")


def promised() -> dict[str, set[str]]:
    """The names of the labels of each metric of a run or a device, as a scrape has them."""
    found = re.findall(r"^(\w+)\{([^}]*)\} ", METRICS, re.MULTILINE)
    return {name: set(re.findall(r'(\w+)="', labels)) for name, labels in found}


def test_the_page_has_a_row_for_each_metric_with_its_labels() -> None:
    runs, devices = PAGE.split("Those of a device have", maxsplit=1)
    rows = {}
    for part, common in ((runs, RUN_LABELS), (devices, DEVICE_LABELS)):
        for name, labels in re.findall(r"^\| `(virnucpro_\w+)` \| (.*?) ?\|", part, re.MULTILINE):
            rows[name] = {*common, *re.findall(r"`(\w+)`", labels)}
    assert rows == promised()


def test_the_page_has_a_row_for_each_alert() -> None:
    rules = (ROOT / "monitor" / "prometheus" / "alerts.yml").read_text(encoding="utf-8")
    assert re.findall(r"^\| `(Virnucpro\w+)`", PAGE, re.MULTILINE) == re.findall(r"- alert: (\w+)", rules)


def test_the_page_shows_the_help_text_of_each_metric() -> None:
    texts = re.findall(r"^# HELP (virnucpro_\w+) (.*)$", METRICS, re.MULTILINE)
    rows = {name: row for row in PAGE.splitlines() for name, _ in texts if row.startswith(f"| `{name}` |")}
    assert rows
    assert [name for name, text in texts if name in rows and text not in rows[name]] == []
