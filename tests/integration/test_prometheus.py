"""Metrics, dashboard and alert rules against the real Prometheus and its promtool."""

from __future__ import annotations

import json
import re
import shutil
import signal
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from tests.support.lab import Lab, wait_until
from tests.support.metric_runs import OPENMETRICS
from tests.support.paths import DATA, DOCS, GOLDEN
from tests.support.prometheus_server import Prometheus, needs_prometheus, promtool
from tests.support.run_files import Gates

ALERTS_TEST = DATA / "prometheus" / "alerts_test.yml"


@pytest.fixture
def alerts(lab: Lab) -> str:
    """The alert rules, as the command prints them."""
    return lab.run("alerts").stdout


@needs_prometheus
def test_the_linter_of_prometheus_has_no_complaint() -> None:
    assert promtool("check", "metrics", stdin=(GOLDEN / "prometheus" / "text.txt").read_text()) == ""


@needs_prometheus
def test_the_configuration_and_the_query_on_the_page_are_valid(alerts: str, tmp_path: Path) -> None:
    page = (DOCS / "prometheus.md").read_text(encoding="utf-8")
    [configuration, *_] = re.findall(r"```yaml\n(# prometheus.yml\n.*?)```", page, re.DOTALL)
    (tmp_path / "prometheus.yml").write_text(configuration)
    (tmp_path / "virnucpro-bus-alerts.yml").write_text(alerts)
    assert "SUCCESS" in promtool("check", "config", tmp_path / "prometheus.yml")
    [query] = re.findall(r"```\n(DCGM_.*?)\n```", page)
    (tmp_path / "query.yml").write_text(f"groups: [{{name: page, rules: [{{record: a, expr: '{query}'}}]}}]")
    promtool("check", "rules", tmp_path / "query.yml")


@needs_prometheus
def test_each_alert_is_quiet_then_fires_and_is_quiet_once_the_run_is_over(alerts: str, tmp_path: Path) -> None:
    (tmp_path / "alerts.yml").write_text(alerts)
    shutil.copy(ALERTS_TEST, tmp_path)
    assert "SUCCESS: 5 rules found" in promtool("check", "rules", tmp_path / "alerts.yml")
    promtool("test", "rules", tmp_path / ALERTS_TEST.name)


def expressions(dashboard: dict[str, Any]) -> Iterator[str]:
    """Every expression of the dashboard, with what Grafana puts in the place of its variables."""
    values = {"$run": ".*", "$hostname": ".*", "$__rate_interval": "10s"}
    for panel in dashboard["panels"]:
        for target in panel.get("targets", ()):
            expression = str(target["expr"])
            for name, value in values.items():
                expression = expression.replace(name, value)
            yield expression


@needs_prometheus
def test_every_panel_has_series_of_a_real_run_that_a_real_prometheus_scrapes(
    lab: Lab, forty: Path, alerts: str, tmp_path: Path
) -> None:
    gates = Gates(lab.folder / "gates")
    # The run lasts as long as this file is held up.
    gates.close("part_00.fa")
    running = lab.start(
        *("run", forty, "--out", "out", "--no-dashboard", "--fake-gpus", "3", "--weights", "10,1,1"),
        *("--job", "user_jobs:gated", "--job-option", gates.option),
    )
    running.until(gates.waiting, "a worker is at the gate")
    monitor = lab.start("monitor", "out", "--no-dashboard", "--interval", "1", "--http", "0")
    monitor.until_it_says("live page: http")
    address = re.search(r"http://127\.0\.0\.1:([0-9]+)/", monitor.stderr)
    assert address is not None, monitor.stderr
    port = int(address[1])
    grafana = json.loads(lab.run("grafana").stdout)
    with Prometheus(tmp_path, port, alerts) as prometheus:
        assert "SUCCESS" in promtool("check", "config", prometheus.configuration)
        missing = set(expressions(grafana))
        assert len(missing) > 12

        def all_have_series() -> bool:
            missing.difference_update([each for each in sorted(missing) if prometheus.query(each)])
            return not missing

        try:
            wait_until(all_have_series, "every expression returns series", 20)
        except AssertionError:
            pytest.fail(f"no series: {sorted(missing)}")
        wait_until(lambda: not prometheus.unhealthy_rules(), "every rule is evaluated")
        for name in ("run", "hostname"):
            assert prometheus.query(f'count by ({name}) (virnucpro_device_info{{{name}!=""}})')
    text, kind = scrape(port)
    assert kind.startswith("text/plain; version=0.0.4")
    assert promtool("check", "metrics", stdin=text) == ""
    assert 'virnucpro_run_finished{run="' in text
    assert ".fa" not in text
    assert scrape(port, OPENMETRICS)[1].startswith("application/openmetrics-text; version=1.0.0")
    gates.open()
    assert running.wait() == 0, running.stderr
    monitor.signal(signal.SIGINT)
    monitor.wait()


def scrape(port: int, accept: str = "") -> tuple[str, str]:
    """The body and the content type of /metrics."""
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", "/metrics", headers={"Accept": accept} if accept else {})
        answer = connection.getresponse()
        assert answer.status == 200
        return answer.read().decode(), answer.headers["Content-Type"]
    finally:
        connection.close()
