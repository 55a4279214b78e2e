"""Makes docs/report.schema.json from the declarations: `python -m tests.support.report_schema > docs/...`"""

from __future__ import annotations

import json

import msgspec

from virnucpro_bus.fold.report import FleetReport


def report_schema() -> str:
    """The JSON schema of the `--json` object, as the file holds it."""
    schema = msgspec.json.schema(FleetReport)
    return json.dumps({"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}, indent=2) + "\n"


if __name__ == "__main__":
    print(report_schema(), end="")
