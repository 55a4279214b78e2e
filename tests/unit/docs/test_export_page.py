"""docs/export.md names every format that comes with the program."""

from __future__ import annotations

import re
import tomllib

from tests.support.paths import DOCS, ROOT


def test_the_page_lists_the_formats_of_this_package_and_no_other() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    page = (DOCS / "export.md").read_text(encoding="utf-8")
    table = [line.split("|")[1] for line in page.split("\n## ")[0].splitlines() if line.startswith("| `")]
    listed = re.findall("`(.+?)`", " ".join(table))
    assert sorted(listed) == sorted(project["entry-points"]["virnucpro_bus.exporters"])
