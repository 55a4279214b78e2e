"""What the commands print as JSON is what docs/json.md declares."""

from __future__ import annotations

import json
import re
from pathlib import Path

import msgspec
from jsonschema import Draft202012Validator

from tests.support.lab import Lab
from tests.support.paths import DOCS
from tests.support.run_files import summary
from virnucpro_bus.fold.report import FleetReport

PAGE = (DOCS / "json.md").read_text(encoding="utf-8")


def test_the_report_of_a_real_run_is_what_is_declared(lab: Lab, finished: Path) -> None:
    told = json.loads(lab.run("monitor", finished, "--once", "--json").stdout)
    assert list(told) == list(FleetReport.__annotations__)
    declared = msgspec.convert(told, FleetReport, strict=True)
    assert msgspec.json.decode(msgspec.json.encode(declared)) == told
    assert len(told["files"]) == told["totals"]["files_completed"] > 0


def test_the_summary_is_the_report_and_the_fields_that_the_page_adds(finished: Path) -> None:
    added = re.findall(r"^\| `(\w+)`", PAGE.partition("## summary.json")[2], re.M)
    assert set(summary(finished)) == {*FleetReport.__annotations__, *added}


def test_reports_and_events_of_a_real_run_are_valid_by_the_schemas_that_the_command_prints(
    lab: Lab, finished: Path
) -> None:
    report, events = (
        Draft202012Validator(json.loads(lab.run("schema", name).stdout)) for name in ("report", "events")
    )
    report.validate(json.loads(lab.run("monitor", finished, "--once", "--json").stdout))
    report.validate(summary(finished))
    lines = lab.run("tail", finished, "--jsonl").stdout.splitlines()
    for line in lines:
        events.validate(json.loads(line))
    assert {"run.started/", "file.committed/", "work.stolen/"} <= {json.loads(line)["kind"] for line in lines}
