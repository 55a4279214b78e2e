"""docs/json.md and the schemas beside it say what the declarations say, no less and no more."""

from __future__ import annotations

import re
from types import NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints

import msgspec
import pytest
from click.testing import CliRunner

from monitor.runs.row import RunRow
from tests.support.paths import DOCS
from tests.support.runs import MadeRun
from tests.support.simulated_runs import ImaginedRun
from virnucpro_bus import metrics, run_reports
from virnucpro_bus.cli.description import schema
from virnucpro_bus.fold.fleet import FleetState
from virnucpro_bus.fold.report import FleetReport
from virnucpro_bus.tables.rows import ExportedFile
from virnucpro_bus.whatif import Alternative, WhatIf
from workers.cli.whatif import WhatIfReport
from workers.preview.preview import DevicePreview, LeftOut, Preview
from workers.whatif.recorded_run import make_recorded_run
from workers.whatif.scenarios import Variation, what_if

PAGE = (DOCS / "json.md").read_text(encoding="utf-8")
SECTIONS: dict[str, Any] = {
    "Report": FleetReport,
    "Device": metrics.GpuMetrics,
    "Utilization": metrics.GpuUtilization,
    "Totals": metrics.Totals,
    "Steal": metrics.StealEvent,
    "Source": metrics.SourceCounts,
    "Effect": metrics.Effect,
    "Steal with its effect": metrics.StealEffect,
    "File": metrics.FileRecord,
    "Run": run_reports.RunReport,
    "Failed file": run_reports.FailedFile,
    "Shard": run_reports.ShardReport,
    "Run in a list": RunRow,
    "Export": ExportedFile,
    "What if": WhatIfReport,
    "Alternative": Alternative,
    "Dry run": Preview,
    "Planned device": DevicePreview,
    "Left out": LeftOut,
}
NAMES = {int: "integer", float: "number", str: "string", bool: "boolean", NoneType: "null"}
LINKED = {"Device": "DeviceReport", "Totals": "Totals", "Steal": "StealEvent", "Source": "SourceCounts"}
LINKED |= {"Effect": "Effect", "Steal with its effect": "StealEffect", "File": "FileRecord", "Run": "RunReport"}
LINKED |= {"Alternative": "Alternative", "Shard": "ShardReport", "Failed file": "FailedFile"}
LINKED |= {"Planned device": "DevicePreview", "Left out": "LeftOut"}
TITLES = {declared: title for title, declared in LINKED.items()}


def table(title: str) -> list[list[str]]:
    """The rows of a section's table: field, type, meaning, null."""
    found = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", PAGE, re.M | re.S)
    assert found, f"docs/json.md has no section {title}"
    rows = [line for line in found[1].splitlines() if line.startswith("|")][2:]
    return [[cell.strip() for cell in row.split("|")[1:-1]] for row in rows]


def written(kind: Any) -> str:
    """A type as the page writes it."""
    if kind in NAMES:
        return NAMES[kind]
    if isinstance(kind, UnionType):
        return " or ".join(map(written, get_args(kind)))
    if get_origin(kind) is tuple:
        return f"[{', '.join(map(written, get_args(kind)))}]"
    if get_origin(kind) is list:
        return f"list of {written(get_args(kind)[0])}"
    if get_origin(kind) is dict:
        return f"object of {written(get_args(kind)[1])}s"
    title = TITLES[kind.__name__]
    return f"[{title}](#{title.lower().replace(' ', '-')})"


def assert_is(declared: Any, told: Any) -> None:
    """What was decoded from JSON is what is declared, with nothing besides."""
    assert msgspec.json.decode(msgspec.json.encode(msgspec.convert(told, declared, strict=True))) == told


def own_fields(kind: Any) -> dict[str, Any]:
    inherited = set(metrics.StealEvent.__annotations__) if kind is metrics.StealEffect else set()
    return {name: each for name, each in get_type_hints(kind).items() if name not in inherited}


@pytest.mark.parametrize("title", SECTIONS)
def test_the_page_lists_every_field_with_its_type_in_the_order_of_the_declaration(title: str) -> None:
    told = [(name.strip("`"), kind) for name, kind, _, _ in table(title)]
    assert told == [(name, written(kind)) for name, kind in own_fields(SECTIONS[title]).items()]


@pytest.mark.parametrize("title", [*SECTIONS, "summary.json"])
def test_what_null_means_is_told_where_there_may_be_one_and_only_there(title: str) -> None:
    for name, kind, _, meaning in table(title):
        assert bool(meaning) == kind.endswith("null"), name


@pytest.mark.parametrize("name", ["report", "events"])
def test_the_schema_beside_the_page_is_the_one_that_the_command_prints(name: str) -> None:
    """When this fails after a field was added: virnucpro-bus schema report > docs/report.schema.json"""
    assert (DOCS / f"{name}.schema.json").read_text(encoding="utf-8") == CliRunner().invoke(schema, [name]).output


def test_what_whatif_prints_is_what_is_declared() -> None:
    run = ImaginedRun([10] * 6, [1.0, 2.0], "cost")
    run.work()
    told = msgspec.json.decode(msgspec.json.encode(what_if(make_recorded_run(run.fleet()), Variation())))
    assert_is(WhatIf, told)
    assert told.keys() == WhatIf.__annotations__.keys()
    for row in (told["recorded"], *told["alternatives"]):
        assert row.keys() == Alternative.__annotations__.keys()


def test_a_report_of_a_run_is_what_is_declared() -> None:
    run = MadeRun(files=6)
    for _ in range(4):
        for worker in run.workers:
            run.sample(worker.device)
            run.work(worker, dies_with_the_file=False)
            run.script.clock.advance(0.5)
    fleet = FleetState(run.script.clock)
    fleet.feed(run.script.frames())
    told = msgspec.json.decode(msgspec.json.encode(fleet.report()))
    assert len(told["files"]) == 3
    assert_is(FleetReport, told)
