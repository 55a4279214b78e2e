"""A real Prometheus on this machine, which scrapes one target every second."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
from contextlib import suppress
from http.client import HTTPConnection
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import pytest

from tests.support.lab import wait_until

PROMETHEUS, PROMTOOL = shutil.which("prometheus"), shutil.which("promtool")
needs_prometheus = pytest.mark.skipif(
    PROMETHEUS is None or PROMTOOL is None,
    reason="prometheus is not installed: apt-get install prometheus",
)
CONFIGURATION = """\
global: {{scrape_interval: 1s, evaluation_interval: 1s}}
rule_files: [alerts.yml]
scrape_configs:
  - job_name: virnucpro-bus
    static_configs: [{{targets: ["127.0.0.1:{port}"]}}]
"""


def promtool(*arguments: str | Path, stdin: str = "") -> str:
    """What promtool prints; fails the test where it finds fault."""
    command = [str(PROMTOOL), *map(str, arguments)]
    ran = subprocess.run(command, input=stdin, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout + ran.stderr


class Prometheus:
    """Its data are in a folder of the test. Started by entering; ended by its id."""

    def __init__(self, folder: Path, target_port: int, alerts: str) -> None:
        self.configuration = folder / "prometheus.yml"
        self.configuration.write_text(CONFIGURATION.format(port=target_port))
        (folder / "alerts.yml").write_text(alerts)
        self._log = folder / "prometheus.log"
        self._data = folder / "data"

    def __enter__(self) -> Self:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self._port = free.getsockname()[1]
        options = {
            "config.file": self.configuration,
            "storage.tsdb.path": self._data,
            "web.listen-address": f"127.0.0.1:{self._port}",
        }
        with self._log.open("wb") as log:
            command = [str(PROMETHEUS), *(f"--{name}={value}" for name, value in options.items())]
            self._process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        wait_until(self._is_ready, "Prometheus is ready")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.wait(30)

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The series that an expression returns now."""
        found: list[dict[str, Any]] = self._get(f"/api/v1/query?query={quote(expression)}")["data"]["result"]
        return found

    def unhealthy_rules(self) -> list[str]:
        """The rules that could not be evaluated, or not yet."""
        groups = self._get("/api/v1/rules")["data"]["groups"]
        return [rule["name"] for group in groups for rule in group["rules"] if rule["health"] != "ok"]

    def _is_ready(self) -> bool:
        assert self._process.poll() is None, self._log.read_text()
        with suppress(OSError):
            return bool(self._get("/api/v1/rules")["data"]["groups"])
        return False

    def _get(self, path: str) -> Any:
        connection = HTTPConnection("127.0.0.1", self._port, timeout=10)
        try:
            connection.request("GET", path)
            answer = connection.getresponse().read()
        finally:
            connection.close()
        try:
            found = json.loads(answer)
        except ValueError:
            return {"data": {"groups": []}}  # it is starting
        assert found["status"] == "success", found
        return found
