"""Adds the manual pages to the wheel, as a hook of its build (tool.hatch.build in pyproject.toml)."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hatchling.builders.config import BuilderConfig
from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class ManPages(BuildHookInterface[BuilderConfig]):
    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Write the pages of the commands as they are. An editable install has none: they would become stale."""
        if version == "editable":
            return
        self._folder = TemporaryDirectory()
        script = Path(self.root) / "scripts" / "man_pages.py"
        # In a process of its own: the commands are imported from this folder, whatever else has such a name.
        subprocess.run([sys.executable, "-P", str(script), self._folder.name], check=True)
        build_data["shared_data"][self._folder.name] = "share/man/man1"
